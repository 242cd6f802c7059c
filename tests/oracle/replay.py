"""Runs a function of a namespace `m` with minigrad and with torch, and asserts that nothing tells the two apart.

Without PyTorch every comparison is skipped, unless MINIGRAD_REQUIRE_ORACLE=1: then its absence is an error.
"""

import os
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import minigrad

if os.environ.get("MINIGRAD_REQUIRE_ORACLE") == "1":
    import torch
else:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make oracle` runs the comparisons with it")

torch.set_num_threads(1)  # the arrays are tiny

# The largest difference allowed, as a fraction of the largest element expected (or of 1, if that is smaller). The
# libraries add in different orders, and each of a sum's terms, here a few hundred at most, may bring a rounding of its
# own: 2^-53 = 1.1e-16 in float64, 2^-24 = 6e-8 in float32. That leaves no room for a wrong term.
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}

ERRORS = (RuntimeError, ValueError, TypeError, IndexError)  # no AttributeError: a name that is missing is no refusal


def same(ours: Any, theirs: Any, where: str = "result") -> None:
    """Asserts equal types, dtypes, shapes, values and need for a gradient, down to the last element of containers."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, minigrad.Tensor), f"{where}: {type(ours).__name__}, PyTorch gives a tensor"
        assert ours.requires_grad == theirs.requires_grad, f"{where}: requires_grad"
        same(ours.numpy(force=True), theirs.numpy(force=True), where)
    elif isinstance(theirs, torch.dtype):
        assert f"torch.{ours}" == str(theirs), f"{where}: dtype"
    elif isinstance(theirs, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), f"{where}: dtype and shape"
        if theirs.dtype.kind != "f":
            np.testing.assert_array_equal(ours, theirs, where)
            return
        finite = np.abs(theirs[np.isfinite(theirs)])
        scale = max(1.0, finite.max(initial=0.0))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE[theirs.dtype.name] * scale, err_msg=where)
    elif isinstance(theirs, dict):
        same(list(ours), list(theirs), f"{where}: keys")
        for key, value in theirs.items():
            same(ours[key], value, f"{where}[{key!r}]")
    elif isinstance(theirs, (list, tuple)):
        kind = list if isinstance(theirs, list) else tuple
        assert isinstance(ours, kind), f"{where}: {type(ours).__name__}, PyTorch gives a {kind.__name__}"
        assert len(ours) == len(theirs), f"{where}: length"
        for position, value in enumerate(theirs):
            same(ours[position], value, f"{where}[{position}]")
    else:
        assert type(ours) is type(theirs), f"{where}: {type(ours).__name__}, PyTorch gives {type(theirs).__name__}"
        assert ours == (pytest.approx(theirs, rel=2e-5, nan_ok=True) if isinstance(theirs, float) else theirs), where


def replay(expression: Callable[..., Any], arrays: Sequence[np.ndarray]) -> None:
    """Compares expression(m, *tensors) and its first and second gradients. Floating-point arrays become leaves that
    require grad.

    Where a first gradient is infinite or NaN, the second follows from how the first is written, and is left out.
    """
    ours, theirs = derivatives(minigrad, expression, arrays), derivatives(torch, expression, arrays)
    if not all(g is None or np.isfinite(g.numpy()).all() for g in theirs["gradients"]):
        del ours["second gradients"], theirs["second gradients"]
    same(ours, theirs)


def leaf(m: ModuleType, array: np.ndarray) -> Any:
    return m.tensor(array, requires_grad=array.dtype.kind == "f")


def derivatives(m: ModuleType, expression: Callable[..., Any], arrays: Sequence[np.ndarray]) -> dict[str, Any]:
    """The expression's result; the gradients dx of <result, dy>, dy random, with respect to the inputs x; and those of
    <dx, ddx>, ddx random, with respect to x and dy. A second gradient that does not exist counts as zeros: which do
    exist depends on how dx is written.
    """
    rng = np.random.default_rng(1)
    inputs = [leaf(m, array) for array in arrays]
    result = expression(m, *inputs)
    results = result if isinstance(result, (tuple, list)) else [result]
    outputs = [y for y in results if getattr(y, "requires_grad", False)]
    x = [tensor for tensor in inputs if tensor.requires_grad]
    if not outputs or not x:
        return {"value": result, "gradients": [], "second gradients": []}
    dy = [leaf(m, _random(rng, y)) for y in outputs]
    dx = m.autograd.grad(outputs, x, dy, create_graph=True, allow_unused=True)
    ddx = [m.tensor(_random(rng, tensor)) for tensor in x]
    recorded = [(g, gg) for g, gg in zip(dx, ddx, strict=True) if g is not None and g.requires_grad]
    second = m.autograd.grad([g for g, _ in recorded], [*x, *dy], [gg for _, gg in recorded], allow_unused=True)
    return {
        "value": result,
        "gradients": [None if g is None else g.detach() for g in dx],
        "second gradients": [m.zeros_like(t) if g is None else g for t, g in zip([*x, *dy], second, strict=True)],
    }


def _random(rng: np.random.Generator, like: Any) -> np.ndarray:
    return rng.standard_normal(tuple(like.shape)).astype(like.detach().numpy(force=True).dtype)


def replayed(scenario: Callable[[ModuleType], Any]) -> Callable[[str], None]:
    """Decorates a function of `m` as a test: on every device its result must be the one it has with torch."""

    def test(device: str) -> None:
        same(scenario(minigrad), scenario(torch))

    test.__name__, test.__doc__, test.__module__ = scenario.__name__, scenario.__doc__, scenario.__module__
    return test
