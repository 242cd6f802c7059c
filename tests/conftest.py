"""What all tests share: the devices they run on, the same random numbers every time, and hypothesis's settings.

Tests on OpenCL fail where it is missing. On a machine that cannot have it, MINIGRAD_TEST_WITHOUT_OPENCL=1 skips them.
They are skipped, too, where PoCL's compiler is older than the processor.
"""

import functools
import os
from collections.abc import Iterator

import numpy as np
import pytest
from browser_fixtures import browser as browser
from browser_fixtures import open_page as open_page
from hypothesis import HealthCheck, settings

import minigrad

DEVICES = ["reference", "cpu", "opencl"]

# The devices' speeds differ by orders of magnitude, so time says nothing about a test; and `device` holds nothing that
# one example of hypothesis could leave behind for the next.
settings.register_profile(
    "minigrad", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("minigrad"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "minigrad")


@functools.cache
def why_not_opencl() -> str:
    """The reason to leave out the tests on OpenCL, if there is one."""
    if os.environ.get("MINIGRAD_TEST_WITHOUT_OPENCL") == "1":
        return "MINIGRAD_TEST_WITHOUT_OPENCL=1"
    try:
        minigrad.get_backend("opencl")
    except RuntimeError as error:
        if "does not know this processor" in str(error):
            return str(error)
    return ""


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of each device in turn; during the test it is the default, where tensors live unless told otherwise."""
    if request.param == "opencl" and why_not_opencl():
        pytest.skip(why_not_opencl())
    before = minigrad.get_default_device()
    minigrad.set_default_device(request.param)
    yield request.param
    minigrad.set_default_device(before)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers for arrays, the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """minigrad's own random numbers (rand, randn, initial weights) start at the same place in every test."""
    minigrad.manual_seed(0)
