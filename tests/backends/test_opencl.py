"""What is particular to OpenCL: set-up and its errors, limits, forks, threads, and that nothing leaves the device."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import Function, Tensor, nn, optim
from minigrad.backends import get_backend
from minigrad.backends.base import Backend
from minigrad.backends.geometry import conv_geometry
from minigrad.ops import arithmetic, compare, conv, convert, elementwise, index, matmul, reduce, shape, window

# The fixture is that of all tests; here it has one parameter. It fails, or is told to skip, where OpenCL is missing.
pytestmark = pytest.mark.parametrize("device", ["opencl"], indirect=True)
float32 = np.dtype(np.float32)


@pytest.fixture
def backend(device: str) -> Backend:
    return get_backend(device)


@pytest.fixture
def runtime(device: str) -> Any:
    """The module that can only be imported where PyOpenCL is installed."""
    return sys.modules["minigrad.backends.opencl_runtime"]


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`program` in a Python process of its own."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


USE = "import minigrad; print(minigrad.ones(2, device='opencl').tolist())"


# --- set-up ------------------------------------------------------------------------------------------------


def test_nothing_of_opencl_is_loaded_before_it_is_asked_for(device: str) -> None:
    program = f"import sys, minigrad; assert 'pyopencl' not in sys.modules; {USE}; assert 'pyopencl' in sys.modules"
    finished = run(program)
    assert finished.stdout == "[1.0, 1.0]\n", finished.stderr


def test_without_pyopencl(device: str, tmp_path: Path) -> None:
    (tmp_path / "pyopencl.py").write_text("raise ImportError('No module named pyopencl')")
    finished = run(USE, PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    assert "RuntimeError: device 'opencl' needs PyOpenCL" in finished.stderr
    assert "pip install 'minigrad-learn[opencl]'" in finished.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other loaders have other ways to hide a driver")
def test_without_a_platform(device: str, tmp_path: Path) -> None:
    finished = run(USE, OCL_ICD_VENDORS=str(tmp_path / "none.icd"))
    assert "RuntimeError: device 'opencl': there is no OpenCL platform" in finished.stderr
    assert "pip install 'minigrad-learn[opencl]'" in finished.stderr
    assert "pocl-opencl-icd" in finished.stderr


def test_without_a_device(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYOPENCL_CTX", raising=False)
    monkeypatch.setattr(runtime.cl, "get_platforms", lambda: [SimpleNamespace(name="Empty", get_devices=list)])
    with pytest.raises(RuntimeError, match=r"platforms \['Empty'\] have no device.*pip install"):
        runtime.Runtime()


def test_prefers_a_gpu(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = runtime.cl.device_type
    processor, first, second = [SimpleNamespace(type=kinds) for kinds in (kind.CPU, kind.GPU, kind.GPU)]
    groups = ([processor], [first, second])
    platforms = [SimpleNamespace(name="", get_devices=lambda group=group: group) for group in groups]
    monkeypatch.delenv("PYOPENCL_CTX", raising=False)
    monkeypatch.setattr(runtime.cl, "get_platforms", lambda: platforms)
    monkeypatch.setattr(runtime.cl, "Context", lambda devices: devices)
    assert runtime._create_context() == [first]
    platforms.pop()
    assert runtime._create_context() == [processor]


def test_pyopencl_ctx_chooses(device: str) -> None:
    assert run(USE, PYOPENCL_CTX="0").stdout == "[1.0, 1.0]\n"
    finished = run(USE, PYOPENCL_CTX="no such platform")
    assert "RuntimeError: device 'opencl': PYOPENCL_CTX='no such platform' does not choose a device" in finished.stderr


def test_a_processor_that_pocl_does_not_know(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def compiler(*_: Any) -> None:
        raise runtime.cl.RuntimeError("unknown target CPU 'generic'")

    monkeypatch.setattr(runtime.cl, "Program", compiler)
    device = SimpleNamespace(version="OpenCL 3.0 PoCL HSTR: pthread-x86_64-unknown-linux-gnu-znver3")
    new = SimpleNamespace(version="OpenCL 3.0 PoCL HSTR: pthread-x86_64-unknown-linux-gnu-generic", name="pthread-New",
                          driver_version="3.0")  # fmt: skip
    runtime.Runtime._check_compiler(SimpleNamespace(device=device))
    with pytest.raises(RuntimeError, match=r"PoCL 3\.0 does not know this processor, pthread-New.*Use device 'cpu'"):
        runtime.Runtime._check_compiler(SimpleNamespace(device=new, context=None))


def test_a_device_without_double_precision(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend._runtime, "_has_double", False)
    assert minigrad.ones(2).tolist() == [1, 1]
    with pytest.raises(TypeError, match=r"has no double precision.*use float32"):
        minigrad.ones(2).double()


# --- limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2**31, 2**40])
def test_more_elements_than_32_bits_count(size: int, device: str) -> None:
    with pytest.raises(ValueError, match=r"elements; device 'opencl' counts in 32 bits.*use device 'cpu'"):
        minigrad.zeros(size, dtype="uint8")
    with pytest.raises(ValueError, match="counts in 32 bits"):
        minigrad.ones(1).broadcast_to((size,)).exp()


def test_geometries_that_reach_beyond_32_bits(backend: Backend) -> None:
    x, w = backend.full((1, 1, 2, 2), 1, float32), backend.full((1, 1, 1, 1), 1, float32)
    fits = conv_geometry("conv2d", (1, 1, 2, 2), (1, 1, 1, 1), (2**27, 2**27), (0, 0), (1, 1), 1)
    assert backend.to_numpy(backend.conv2d(x, w, fits)).tolist() == [[[[1]]]]
    beyond = conv_geometry("conv2d", (1, 1, 2, 2), (1, 1, 1, 1), (2**31, 1), (0, 0), (1, 1), 1)
    for kernel in (backend.conv2d, backend.conv2d_input_grad, backend.conv2d_weight_grad):
        with pytest.raises(ValueError, match=r"stride=\(2147483648, 1\).*32 bits.*use device 'cpu'"):
            kernel(x, w, beyond)


def test_more_bytes_than_the_device_has(runtime: Any, backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend._runtime, "_most_bytes", 1000)
    minigrad.ones(250)
    with pytest.raises(MemoryError, match=r"shape \(251,\) takes 1,004 bytes; .* allows 1,000"):
        minigrad.ones(251)

    def full(nbytes: int) -> None:
        raise runtime.cl.MemoryError("clCreateBuffer", runtime.cl.status_code.MEM_OBJECT_ALLOCATION_FAILURE, "")

    monkeypatch.setattr(backend._runtime, "_pool", SimpleNamespace(allocate=full))
    with pytest.raises(MemoryError, match=r"no memory left for an array of shape \(3,\), 12 bytes"):
        minigrad.ones(3)


def test_many_axes(device: str) -> None:
    numbers = np.arange(2**17, dtype="float32")
    x = minigrad.tensor(numbers.reshape((2,) * 17))
    neighbours = x.permute(16, *range(16))  # 15 axes keep their neighbours and are moved as one
    np.testing.assert_array_equal(neighbours.numpy(), np.moveaxis(x.numpy(), 16, 0))
    with pytest.raises(ValueError, match=r"at most 16 axes at once.*has 17\. Join axes with reshape"):
        x.permute(*reversed(range(17))).numpy()


def test_operations_that_a_dtype_does_not_have(backend: Backend) -> None:
    mask = backend.full((2,), True, np.dtype(bool))
    for primitive in (backend.neg, backend.sign):
        with pytest.raises(TypeError, match=r"is not defined for bool; convert with .long\(\) or .float\(\)"):
            primitive(mask)
    with pytest.raises(TypeError, match="exp is not defined for int32"):
        backend.exp(backend.full((2,), 1, np.dtype("int32")))


# --- the kernels for GPUs ------------------------------------------------------------------------------------


@cache
def as_on_a_gpu(kind: type) -> Any:
    backend = kind()
    backend._runtime.is_processor, backend._strip = False, 4
    backend._groups_wanted = 100  # so that sums are cut into shares
    return backend


@pytest.fixture
def gpu(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A back end that works as on a GPU, whatever the device; with small tiles, of which small arrays fill several."""
    module = sys.modules["minigrad.backends.opencl_products"]
    monkeypatch.setattr(module, "TILES", (module.Tile(4, 4, 8), module.Tile(4, 2, 4)))
    monkeypatch.setattr(module, "FULL_ENOUGH", 2)
    return as_on_a_gpu(type(backend))


GEOMETRIES = [  # shapes of x and w, stride, padding, dilation, groups
    ((2, 20, 9, 8), (18, 20, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 20, 9, 8), (18, 20, 3, 2), (2, 3), (1, 2), (2, 1), 1),
    ((1, 34, 7, 9), (36, 17, 2, 3), (3, 2), (0, 4), (2, 4), 2),
    ((3, 8, 5, 5), (8, 4, 1, 1), (2, 1), (0, 0), (1, 1), 2),
    ((2, 3, 12, 11), (5, 3, 3, 3), (2, 2), (1, 1), (1, 1), 1),  # too few channels for tiles
    ((2, 4, 6, 21), (8, 1, 3, 3), (1, 2), (1, 1), (1, 3), 4),
    ((1, 16, 2, 2), (16, 16, 1, 1), (2**27, 2**27), (0, 0), (1, 1), 1),
    ((0, 16, 4, 4), (16, 16, 3, 3), (1, 1), (1, 1), (1, 1), 1),
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("weight", [1, np.inf, np.nan])
def test_convolutions_on_a_gpu(gpu: Any, geometry: Any, weight: float, rng: np.random.Generator) -> None:
    sizes = conv_geometry("conv2d", *geometry)
    x, w, y = [rng.integers(-4, 5, shape).astype("float32") for shape in (sizes.x_shape, sizes.w_shape, sizes.y_shape)]
    w[:1, :1, 0, 0] = weight
    for name, first, second in [("conv2d", x, w), ("conv2d_input_grad", y, w), ("conv2d_weight_grad", x, y)]:
        found = getattr(gpu, name)(gpu.from_numpy(first), gpu.from_numpy(second), sizes)
        with np.errstate(invalid="ignore"):
            expected = getattr(get_backend("cpu"), name)(first, second, sizes)
        np.testing.assert_array_equal(gpu.to_numpy(found), expected, name)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(("rows", "length", "columns"), [(1, 1, 1), (40, 33, 17), (3, 20, 100), (5, 0, 4)])
def test_products_on_a_gpu(
    gpu: Any, rows: int, length: int, columns: int, dtype: str, rng: np.random.Generator
) -> None:
    x, y = rng.integers(-4, 5, (3, rows, length)).astype(dtype), rng.integers(-4, 5, (3, length, columns)).astype(dtype)
    np.testing.assert_array_equal(gpu.to_numpy(gpu.matmul(gpu.from_numpy(x), gpu.from_numpy(y))), x @ y)


# --- memory ------------------------------------------------------------------------------------------------


def test_writing_through_a_slice_of_everything(device: str) -> None:
    w = minigrad.ones(2, 3, requires_grad=True)
    w.data[:] -= 0.5
    w.data[...] *= 2
    w.data.reshape(6)[:] += 1
    assert w.tolist() == [[2, 2, 2], [2, 2, 2]]


def test_a_view_costs_no_memory(backend: Any) -> None:
    x = minigrad.zeros(1000, 1000)
    active = backend._runtime._pool.active_bytes
    views = [x[5:], x.T, x[:, ::2], x.expand(1000, 1000, 1000), x.T[3:].reshape(997, 10, 100)]
    assert backend._runtime._pool.active_bytes == active
    assert views[-1].sum().item() == 0


def test_memory_is_used_again(backend: Any) -> None:
    def step() -> None:
        loss = (network(minigrad.ones(2, 1, 12, 12)) ** 2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    network = Network()
    optimizer = optim.SGD(network.parameters(), lr=0.01)
    step()
    pool = backend._runtime._pool
    active, managed = pool.active_bytes, pool.managed_bytes
    for _ in range(3):
        step()
    assert (pool.active_bytes, pool.managed_bytes) == (active, managed)


# --- forks and threads -----------------------------------------------------------------------------------------

FORK = """
import os, minigrad
def work():
    return (minigrad.ones(2, device="opencl") + 1).tolist()
{before}
child = os.fork()
if child == 0:
    try:
        print("child", work(), flush=True)
    except RuntimeError as error:
        print("child", error, flush=True)
    os._exit(0)  # as multiprocessing's children do: NVIDIA's driver crashes where it cleans up what a fork has copied
else:
    assert os.waitpid(child, 0)[1] == 0
    print("parent", work())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_after_use_is_an_error_in_the_child(device: str) -> None:
    child, parent = run(FORK.format(before="work()")).stdout.splitlines()
    assert child.startswith("child device 'opencl' was used before this process was forked")
    assert "multiprocessing.get_context('spawn')" in child
    assert parent == "parent [2.0, 2.0]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_before_use_is_fine(device: str) -> None:
    assert run(FORK.format(before="")).stdout.splitlines() == ["child [2.0, 2.0]", "parent [2.0, 2.0]"]


class Network(nn.Module):
    """Maps images of shape (n, 1, 12, 12) to (n, 4)."""

    def __init__(self) -> None:
        super().__init__()
        minigrad.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 2, 3, stride=2))
        self.head = nn.Linear(2 * 5 * 5, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).flatten(1))


def train(network: nn.Module, images: np.ndarray, steps: int = 5) -> list[np.ndarray]:
    optimizer = optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(network(minigrad.tensor(images)), minigrad.ones(len(images), 4)).backward()
        optimizer.step()
    return [parameter.numpy(force=True) for parameter in network.parameters()]


def test_threads_use_the_device_at_once(device: str, rng: np.random.Generator) -> None:
    images = rng.standard_normal((4, 3, 1, 12, 12)).astype("float32")
    networks = [Network() for _ in range(8)]
    alone = [train(network, batch) for network, batch in zip(networks[:4], images, strict=True)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(train, networks[4:], images))
    for found, expected in zip(together, alone, strict=True):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_threads_compile_at_once(backend: Any) -> None:
    fresh = type(backend)()  # with nothing compiled yet
    arrays = [fresh.from_numpy(np.full((5, 5), number, "float32")) for number in range(4)]

    def work(x: Any) -> list[float]:
        return fresh.to_numpy(fresh.sum(fresh.matmul(fresh.add(x, x), fresh.permute(x, (1, 0))), (0, 1))).tolist()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, arrays)) == [[[250 * number**2]] for number in range(4)]


# --- nothing leaves the device -----------------------------------------------------------------------------------


def test_training_reads_nothing_back(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Backend, array: Any) -> None:
        raise AssertionError("an array travels between host and device")

    network, images, target = Network(), minigrad.ones(3, 1, 12, 12), minigrad.ones(3, 4)
    optimizer = optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    before = [parameter.numpy(force=True) for parameter in network.parameters()]
    with monkeypatch.context() as patched:
        patched.setattr(type(backend), "to_numpy", refuse)
        patched.setattr(type(backend), "from_numpy", refuse)
        for _ in range(2):
            optimizer.zero_grad()
            F.mse_loss(network(images).tanh(), target).backward()
            optimizer.step()
    for parameter, old in zip(network.parameters(), before, strict=True):
        assert (parameter.numpy(force=True) != old).any()


def everything(x: Tensor, w: Tensor, m: Tensor) -> Iterator[Tensor]:
    """Results of all operations, for positive x, w and m of shapes (2, 4, 5, 6), (2, 2, 2, 3) and (6, 4)."""
    yield from [-x, x.exp(), x.log(), (x - 1).abs(), (x - 1).relu(), x.sigmoid(), x.tanh()]
    yield from [x + x[:, :1], x - m.T[:, 0, None, None], x * x[0], x / m.amax(), x ** m[0, 0], x**3, x**0.5, 2**x]
    yield from [x.log1p(), x.sqrt(), x.sin(), x.cos(), x % m[0, 0], 3 % x, x.clamp(0.7, m[0, 1])]
    yield from [m.std(0), m.prod(1), m.cumsum(0), m.logsumexp(1), m.norm(), m.min(0).values]
    yield from [minigrad.maximum(x, x.flip(2)), minigrad.where(x > 1, x, m[0, 1])]
    yield from [x.sum((0, 2)), x.mean(), x.amax((1, 3)), x.max(1).values, x.broadcast_to((3, 2, 4, 5, 6))]
    yield from [x.reshape(8, 30), x.permute(3, 1, 0, 2), x.clone(), x.float().double() * x]
    yield from [x[1, ::2, None, 1:4], x[[1, 0, 1], :, [[2], [2]]], x[x > 1], F.pad(x, (1, 2, 0, 1))]
    yield from [minigrad.cat([x, x[:, 1:]], 1), minigrad.stack([m, m * m], 2), x @ m, m.T @ m]
    yield from [x.erf(), F.max_pool2d(x, 3, 2, 1), F.fold(F.unfold(x, 2), (5, 6), 2)]
    yield F.conv2d(x, w, stride=(1, 2), padding=1, dilation=(2, 1), groups=2)
    yield F.conv2d(x, w, w[:, 0, 0, 0], groups=2)
    yield F.conv_transpose2d(x[:, :2], w, stride=2, padding=1, output_padding=1)
    yield x.to("reference").to(x.device.name) * x


def test_every_operation_agrees_with_the_reference(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its value and its first and second derivatives; and no operation is missing from the list above."""
    generator = np.random.default_rng(0)
    arrays = [generator.uniform(0.5, 1.5, shape) for shape in [(2, 4, 5, 6), (2, 2, 2, 3), (6, 4)]]

    def values_and_derivatives(name: str) -> list[np.ndarray]:
        inputs = [minigrad.tensor(array, device=name, requires_grad=True) for array in arrays]
        results = list(everything(*inputs))
        gradients = minigrad.grad(squares(results), inputs, create_graph=True)
        second = minigrad.grad(squares(gradients), inputs)
        return [tensor.numpy(force=True) for tensor in (*results, *gradients, *second)]

    def squares(tensors: Any) -> Tensor:
        return minigrad.stack([(tensor * tensor).mean() for tensor in tensors]).sum()

    called = set()
    call = Function.__call__
    monkeypatch.setattr(Function, "__call__", lambda self, *inputs: called.add(type(self)) or call(self, *inputs))
    for found, expected in zip(values_and_derivatives(device), values_and_derivatives("reference"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)
    modules = (arithmetic, compare, conv, convert, elementwise, index, matmul, reduce, shape, window)
    operations = {kind for module in modules for kind in vars(module).values() if is_operation(kind, module)}
    assert called == operations


def is_operation(kind: Any, module: Any) -> bool:
    """Whether it is a Function defined in this module that can be called, not one that others are derived from."""
    is_function = isinstance(kind, type) and issubclass(kind, Function)
    return is_function and kind.__module__ == module.__name__ and not kind.__subclasses__()
