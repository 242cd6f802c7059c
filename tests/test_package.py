"""What gets installed: the metadata, the files beside the Python ones, and what `import minigrad` brings in."""

import subprocess
import sys
from importlib import resources
from importlib.metadata import distributions
from pathlib import Path

import pytest

import minigrad
from minigrad_ext import direct


@pytest.fixture
def installed():
    """The metadata of the installed package. (A checkout has some too, of its last build, without WHEEL.)"""
    found = [package for package in distributions(name="minigrad-learn") if package.read_text("WHEEL")]
    if not found:
        pytest.skip("minigrad is imported from a checkout without being installed; `make test` installs it")
    return found[0]


def test_version_is_that_of_the_package(installed):
    assert minigrad.__version__ == installed.version, "installed from an older checkout: say `make clean`"


def test_numpy_is_the_only_requirement(installed):
    required = [requirement for requirement in installed.requires if "extra ==" not in requirement]
    assert len(required) == 1
    assert required[0].startswith("numpy")


def test_one_wheel_serves_every_python_from_3_11_on(installed):
    tags = [line for line in installed.read_text("WHEEL").splitlines() if line.startswith("Tag: ")]
    assert tags
    assert all(tag.startswith("Tag: cp311-abi3-") for tag in tags), tags


def test_extension_is_built_for_the_stable_abi():
    # A file named after one version of Python would be found first, and be stale after the next build.
    assert Path(direct.__file__).name in ("direct.abi3.so", "direct.pyd")


def test_type_information_is_installed():
    assert resources.files("minigrad").joinpath("py.typed").is_file()


FILES = ["minigrad_ext/conv2d.cl", "minigrad_ext/loops.pyx", "minigrad/teaching/pages/page.css"]


@pytest.mark.parametrize("file", FILES)
def test_what_is_read_at_run_time_is_installed(file):
    package, _, path = file.partition("/")
    assert resources.files(package).joinpath(path).is_file()


@pytest.mark.parametrize("module", ["minigrad_ext", "minigrad.teaching", "pyopencl", "matplotlib", "safetensors"])
def test_import_does_not_bring_in(module):
    """`import minigrad` needs NumPy alone: back ends are loaded when they are first asked for, plotting never is."""
    program = f"import sys, minigrad; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_public_name_is_exported_to_type_checkers():
    """In a typed package they let users import what `__all__` names, and nothing else."""
    modules = {name for name, value in vars(minigrad).items() if isinstance(value, type(minigrad))}
    modules -= {"cuda", "nn", "optim", "utils"}
    public = {name for name in dir(minigrad) if not name.startswith("_")} - modules
    assert sorted(minigrad.__all__) == sorted(public)
