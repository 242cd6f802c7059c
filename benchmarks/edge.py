"""How long a training step of the edge kernel takes: an image of 6 x 8, a kernel of 1 x 2, next to no arithmetic.

    python benchmarks/edge.py

What is timed is what a library spends on itself: on calls, checks and its graph. The step is that of
examples/learn_edge_kernel.py, the same lines for minigrad and for PyTorch: a layer, the loss, backward, SGD. `capture`
is the same step recorded by minigrad.capture and replayed; `jax` is that of a function which jax.jit has compiled.
"""

import argparse
import functools
import json
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from libraries import TITLES
from turns import measure, take_turns, turn

import minigrad

CONTENDERS = ["cpu", *["capture"] * hasattr(minigrad, "capture"), *filter(find_spec, ["torch", "jax"])]
LR = 0.03


def image_and_edges() -> tuple[Any, Any]:
    image = np.ones((1, 1, 6, 8), "float32")
    image[..., 2:6] = 0
    return image, image[..., :-1] - image[..., 1:]


def eager_step(library: Any, capture: bool = False) -> Callable[[], Any]:
    """minigrad and PyTorch."""
    library.manual_seed(0)
    X, Y = map(library.tensor, image_and_edges())
    layer = library.nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
    optimizer = library.optim.SGD(layer.parameters(), lr=LR)

    def step() -> Any:
        loss = ((layer(X) - Y) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return library.capture(step, layer.parameters()) if capture else step


def jax_step() -> Callable[[], Any]:
    jax = import_module("jax")
    X, Y = map(jax.numpy.asarray, image_and_edges())

    def loss(w: Any) -> Any:
        return ((jax.lax.conv_general_dilated(X, w, (1, 1), "VALID") - Y) ** 2).sum()

    @jax.jit
    def update(w: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(w)
        return w - LR * slope, value

    w = jax.numpy.asarray(np.array([0.5, -0.2], "float32").reshape(1, 1, 1, 2))

    def step() -> Any:
        nonlocal w
        w, value = update(w)
        return value

    return step


def turn_here(contender: str) -> float:
    """Seconds for a step: the median of means over a hundred, which a clock can tell apart."""
    if contender == "torch":
        import_module("torch").set_num_threads(1)
    if contender == "jax":
        step = jax_step()
    else:
        step = eager_step(import_module("torch" if contender == "torch" else "minigrad"), contender == "capture")

    def hundred() -> None:
        for _ in range(100):
            step()

    return measure(hundred, 1.0) / 100


def compare(rounds: int) -> dict[str, dict[str, float]]:
    """{"seconds"} for a step, by contender."""
    return take_turns({each: functools.partial(turn, [__file__, "--turn", each], 1) for each in CONTENDERS}, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description="Times a training step of the edge kernel.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turn", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(json.dumps({"seconds": turn_here(options.turn)}))
        return
    for contender, found in compare(options.rounds).items():
        print(f"{TITLES[contender]:20} {found['seconds'] * 1e6:7.1f} us")


if __name__ == "__main__":
    main()
