"""docs/from_pytorch.md is right about PyTorch: its script and its Function run there, and what it misses is there."""

import functools
import re

import pytest
from test_docs import PAGE, blocks, section

from .replay import torch

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(not PAGE.exists(), reason="the tests run outside the checkout"),
]


def test_the_script_of_the_page_learns() -> None:
    names: dict = {}
    exec(compile(blocks("python")[0], str(PAGE), "exec"), names)
    assert names["accuracy"] > 0.9


def test_the_function_of_the_page() -> None:
    names: dict = {}
    exec(compile(blocks("python")[1], str(PAGE), "exec"), names)
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = names["cube"](x, 2.0)
    y.sum().backward()
    assert (y.tolist(), x.grad.tolist()) == ([2.0, -16.0], [6.0, 24.0])


def test_what_is_said_to_be_pytorchs_is() -> None:
    import torch.func  # noqa: PLC0415  (only there once imported)

    homes = {"torch": torch, "Tensor": torch.Tensor, "F": torch.nn.functional, "lr_scheduler": torch.optim.lr_scheduler}
    for row in re.findall(r"^\| (`.*?) \|", section("What is not there", 2), re.MULTILINE):
        for name in re.findall(r"`([\w.]+)`", row):
            home, *path = name.split(".")
            functools.reduce(getattr, path, homes.get(home) or getattr(torch, home))
