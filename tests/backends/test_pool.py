"""The pool of memory that large arrays of device "cpu" come from."""

import ctypes
import gc
import os
import subprocess
import sys
import threading

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from minigrad_ext import pool

FLOAT = np.dtype(np.float32)
MIB = 2**20 // FLOAT.itemsize  # elements
sanitized = pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="keeps nothing")


@pytest.fixture(autouse=True)
def before() -> int:
    """The pool is emptied. What other tests have left in use, in bytes."""
    gc.collect()
    pool.empty_cache()
    return pool.held()[0]


@given(st.lists(st.integers(0, 50), max_size=4), st.sampled_from(["float32", "float64", "int64", "bool"]))
def test_arrays_are_as_numpy_makes_them(shape: list[int], dtype: str) -> None:
    for make in (pool.empty, pool.workspace):
        x, y = make(tuple(shape), np.dtype(dtype)), np.empty(shape, dtype)
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        assert x.flags.c_contiguous
        assert x.flags.writeable
        x[...] = 1
        assert x.sum() == x.size


def test_workspaces_are_aligned_and_may_be_read_a_little_beyond_their_end() -> None:
    for size in (0, 1, 1000, 10_000, MIB, MIB + 1):
        x = pool.workspace((size,), FLOAT)
        assert x.ctypes.data % 64 == 0
        assert len(ctypes.string_at(x.ctypes.data + x.nbytes, 512)) == 512


@sanitized
def test_memory_is_used_again() -> None:
    x = pool.empty((MIB,), FLOAT)
    address = x.ctypes.data
    view = x[10:]
    del x
    assert pool.empty((MIB,), FLOAT).ctypes.data != address  # a view keeps it
    del view
    y, z = pool.empty((MIB - 100,), FLOAT), pool.empty((1, MIB), FLOAT)
    assert address in (y.ctypes.data, z.ctypes.data)


@sanitized
def test_what_is_held_is_bounded(before: int) -> None:
    arrays = [pool.empty((k * MIB,), FLOAT) for k in range(1, 6)]
    in_use, idle, most = pool.held()
    assert (in_use - before, idle) == (15 << 20, 0)
    assert most == in_use
    arrays.clear()
    assert pool.held() == (before, in_use - before, in_use)
    for size in range(MIB, 8 * MIB, MIB // 3):  # sizes of which few are there
        x = pool.empty((size,), FLOAT)
        in_use, idle, _ = pool.held()
        assert in_use + idle <= 1.5 * most
        del x
    pool.empty_cache()
    assert pool.held() == (before, 0, before)


@sanitized
def test_the_sizes_that_went_unused_for_longest_are_freed_first() -> None:
    first, second, third = [pool.empty((size * MIB,), FLOAT) for size in (4, 5, 6)]
    addresses = {size: array.ctypes.data for size, array in ((4, first), (5, second), (6, third))}
    del second, first, third
    x = pool.empty((8 * MIB,), FLOAT)  # 8 MiB more than the 15 that were held: one of them has to go
    assert pool.held()[1] == 10 << 20
    assert pool.empty((4 * MIB,), FLOAT).ctypes.data == addresses[4]
    assert pool.empty((6 * MIB,), FLOAT).ctypes.data == addresses[6]
    assert x.size == 8 * MIB


def test_small_arrays_are_left_to_numpy(before: int) -> None:
    x = pool.empty((100,), FLOAT)
    assert x.base is None
    assert pool.held()[0] == before


def test_more_than_there_is(before: int) -> None:
    held = pool.empty((MIB,), FLOAT)
    del held
    for shape in ((2**50,), (2**25, 2**25), (2**40, 2**40)):
        with pytest.raises(MemoryError, match="Unable to allocate"):
            pool.empty(shape, FLOAT)
    assert pool.held()[0] == before
    assert pool.empty((MIB,), FLOAT).size == MIB


def test_many_threads_at_once(before: int) -> None:
    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        live: list[np.ndarray] = []
        for step in range(2000):
            if len(live) > 8:
                array = live.pop(int(rng.integers(len(live))))
                wrong.extend(array[[0, -1]][array[[0, -1]] != array.mean(dtype=float)])
            live.append(pool.empty((int(rng.integers(8_000, 40_000)),), FLOAT))
            live[-1][...] = seed * 2000 + step

    wrong: list[float] = []
    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert pool.held()[0] == before


FORK = """
import os, sys
import numpy as np
from minigrad_ext import pool
float32 = np.dtype("float32")
kept, freed = pool.empty((100_000,), float32), pool.empty((100_000,), float32)
kept[...] = 1
del freed
pid = os.fork()
again = pool.empty((100_000,), float32)
again[...] = 2 if pid else 3
if pid == 0:
    os._exit(int(not ((kept == 1).all() and (again == 3).all())))
assert os.waitpid(pid, 0)[1] == 0
assert (kept == 1).all() and (again == 2).all()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_a_pool_of_its_own() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)


STEPS = """
import resource
import minigrad
from minigrad import nn

model = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1),
    nn.Conv2d(16, 16, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16 * 8 * 8, 300), nn.Sigmoid(),
    nn.Linear(300, 10),
)
optimizer = minigrad.optim.Adam(model.parameters())
images, labels = minigrad.randn(32, 3, 32, 32), minigrad.randint(0, 10, (32,))
for step in range(10):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    optimizer.zero_grad()
    minigrad.nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@sanitized
@pytest.mark.skipif(sys.platform == "win32", reason="counts no page faults")
def test_a_step_of_a_training_asks_the_system_for_no_memory() -> None:
    """Its arrays have some 40 MB, 10,000 pages."""
    result = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True, timeout=120)
    assert int(result.stdout) < 300
