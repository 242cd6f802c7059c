"""Several threads at once, and children that are forked or spawned: each has its graph, mode and device in order."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn, optim

LONG = 60  # seconds, of what takes well under one: a test that hangs fails


def together(*works: Callable[[], object]) -> list[object]:
    """What the functions return, each called in a thread of its own, all starting at the same time."""
    start = threading.Barrier(len(works), timeout=LONG)
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(lambda work=work: (start.wait(), work())[1]) for work in works]
        return [future.result(LONG) for future in futures]


# --- threads -------------------------------------------------------------------------------------------------


def trained(seed: int) -> list[list[float]]:
    """The parameters of a small network after some steps of training."""
    generator = minigrad.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 1, 2, stride=2))
    with minigrad.no_grad():
        for parameter in model.parameters():
            parameter.copy_(minigrad.randn(parameter.shape, generator=generator))
    images, wanted = (minigrad.rand(2, 1, size, size, generator=generator) for size in (7, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(4):
        optimizer.zero_grad()
        F.mse_loss(model(images), wanted).backward()
        optimizer.step()
    return [parameter.flatten().tolist() for parameter in model.parameters()]


def test_threads_train_networks_of_their_own(device: str) -> None:
    alone = [trained(seed) for seed in range(4)]
    assert together(*[lambda seed=seed: trained(seed) for seed in range(4)]) == alone


def test_threads_may_walk_one_graph_for_different_gradients(device: str) -> None:
    """Each walk asks a Function for its own gradients, also while another is in the same Function."""
    inside, other_is_through = threading.Event(), threading.Event()

    class Slow(minigrad.Function):
        def forward(self, x: Any, y: Any) -> Any:
            return self.device.add(x, y)

        def backward(self, dz: Tensor) -> Any:
            if threading.current_thread() is not threading.main_thread():
                inside.set()
                assert other_is_through.wait(LONG)
            return dz if self.needs_grad[0] else None, dz if self.needs_grad[1] else None

    x, y = (minigrad.ones(2, requires_grad=True) for _ in range(2))
    z = Slow()(x, y)
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(minigrad.grad, z.sum(), x, retain_graph=True)
        assert inside.wait(LONG)
        (dy,) = minigrad.grad(z.sum(), y, retain_graph=True)
        other_is_through.set()
        (dx,) = later.result(LONG)
    assert dx.tolist() == dy.tolist() == [1.0, 1.0]


def test_threads_add_to_the_gradients_of_leaves_they_share(device: str) -> None:
    weight = minigrad.ones(3, requires_grad=True)

    def work() -> None:
        for factor in range(25):
            (weight * factor).sum().backward()

    together(work, work, work, work)
    assert weight.grad.tolist() == [4.0 * sum(range(25))] * 3  # whole numbers: exact, in any order


def test_threads_differentiate_the_same_graph(device: str) -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).exp().sum()
    expected = minigrad.grad(y, x, retain_graph=True)[0].tolist()
    gradients = together(*[lambda: minigrad.grad(y, x, retain_graph=True)[0].tolist()] * 4)
    assert gradients == [expected] * 4


def test_one_mode_for_each_thread() -> None:
    turn = threading.Barrier(2, timeout=LONG)
    seen = {}

    def silent() -> None:
        with minigrad.no_grad():
            turn.wait()  # both are inside
            seen["silent"] = minigrad.is_grad_enabled()
            turn.wait()

    def recording() -> None:
        turn.wait()
        seen["recording"] = minigrad.is_grad_enabled()
        turn.wait()

    together(silent, recording)
    assert seen == {"silent": False, "recording": True}


@pytest.mark.parametrize("how", ["with", "decorator"])
def test_threads_enter_the_same_no_grad_at_once(how: str) -> None:
    """Each leaves it with the mode it had before."""
    off, seen = minigrad.no_grad(), {}
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def entered(inside: Callable[[], object]) -> None:
        if how == "decorator":
            off(inside)()
        else:
            with off:
                inside()

    def first() -> None:
        entered(lambda: (first_is_in.set(), second_is_in.wait(LONG)))
        seen["first"] = minigrad.is_grad_enabled()
        first_is_out.set()

    def second() -> None:
        with minigrad.no_grad():
            first_is_in.wait(LONG)
            entered(lambda: (second_is_in.set(), first_is_out.wait(LONG)))
            seen["second"] = minigrad.is_grad_enabled()
        seen["second, at the end"] = minigrad.is_grad_enabled()

    together(first, second)
    assert seen == {"first": True, "second": False, "second, at the end": True}


def test_threads_share_a_generator() -> None:
    """Each call gets consecutive numbers, and no number is drawn twice."""
    minigrad.manual_seed(1)
    expected = {tuple(minigrad.rand(5).tolist()) for _ in range(400)}
    minigrad.manual_seed(1)
    draws = together(*[lambda: [tuple(minigrad.rand(5).tolist()) for _ in range(100)]] * 4)
    assert {row for rows in draws for row in rows} == expected


# --- processes -----------------------------------------------------------------------------------------------

# A program of its own, because pytest has more threads and modules than a child should inherit.
PROGRAM = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import minigrad
from minigrad import nn

def gradients(model, images):
    model(images).sum().backward()
    return [parameter.grad for parameter in model.parameters()], model, images

if __name__ == "__main__":
    method, device, warm = sys.argv[1:]
    minigrad.set_default_device(device)
    minigrad.manual_seed(0)
    size = 6 if device == "reference" else 20  # which is in plain Python
    model, images = nn.Sequential(nn.Conv2d(2, 8, 3), nn.Sigmoid()), minigrad.rand(4, 2, size, size)
    if warm == "warm":  # the parent has used its kernels, in several threads
        minigrad.set_num_threads(2)
        expected = gradients(model, images)[0]
        model.zero_grad()
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        results = [pool.submit(gradients, model, images) for _ in range(3)]
        results = [result.result(60) for result in results]
    expected = gradients(model, images)[0]
    for found, twin, again in results:
        assert twin is not model and again.device.name == device
        assert all(parameter.requires_grad and parameter.grad is not None for parameter in twin.parameters())
        assert all(isinstance(parameter, nn.Parameter) for parameter in twin.parameters())
        assert minigrad.equal(again, images)
        assert all(minigrad.equal(x, y) for x, y in zip(found, expected, strict=True))
    print("done")
"""

METHODS = [
    pytest.param("fork", marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")),
    "spawn",
]


def run(directory: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = directory / "program.py"
    path.write_text(program, encoding="utf-8")
    command = [sys.executable, str(path), *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(command, capture_output=True, text=True, timeout=2 * LONG, check=False, env=environment)


@pytest.mark.parametrize("warm", ["warm", "cold"])
@pytest.mark.parametrize("method", METHODS)
def test_children_compute_gradients_of_what_they_are_sent(method: str, warm: str, device: str, tmp_path: Path) -> None:
    result = run(tmp_path, PROGRAM, method, device, warm)
    if device == "opencl" and method == "fork":  # which no driver survives, and making the tensors uses it
        assert result.returncode == 1
        assert "RuntimeError: device 'opencl' was used before this process was forked" in result.stderr
        assert "multiprocessing.get_context('spawn')" in result.stderr
    else:
        assert result.stdout == "done\n", result


WHILE_A_THREAD_ACCUMULATES = """
import os, signal, threading
import minigrad

weight, stop = minigrad.ones(2, requires_grad=True, device="reference"), threading.Event()
def work():
    while not stop.is_set():
        (weight * 2).sum().backward()
thread = threading.Thread(target=work)
thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # a hang ends the child, and the parent sees it
        (weight * 2).sum().backward()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
thread.join()
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_while_another_thread_accumulates_gradients(tmp_path: Path) -> None:
    result = run(tmp_path, WHILE_A_THREAD_ACCUMULATES)
    assert result.stdout == "done\n", result


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_children_go_on_from_a_copy_of_the_random_state(tmp_path: Path) -> None:
    program = """
import multiprocessing, minigrad
minigrad.set_default_device("reference")
minigrad.manual_seed(0)
def draw(_): return minigrad.rand(2).tolist()
def seeded(seed): return minigrad.rand(2, generator=minigrad.Generator().manual_seed(seed)).tolist()
context = multiprocessing.get_context("fork")
draws = []
for _ in range(2):
    with context.Pool(1) as pool: draws.append(pool.map(draw, [None])[0])
assert draws == [draw(None)] * 2
with context.Pool(2) as pool: assert pool.map(seeded, [1, 2]) == [seeded(1), seeded(2)]
print("done")
"""
    result = run(tmp_path, program)
    assert result.stdout == "done\n", result
