"""Bad input: a clear error that names the argument, the values and what to do; never a wrong number, a crash or a hang.

The list is that of issue 2, section 5. What single operations refuse besides stands in their own tests.
"""

import inspect
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn

HUGE, VAST = 2**40, 2**62  # a size whose square overflows 64 bits, and one that overflows when doubled


def image(*shape: int, **options: object) -> Tensor:
    return minigrad.ones(*(shape or (1, 2, 5, 6)), **options)


@contextmanager
def refused(error: type[Exception], *fragments: str) -> Iterator[None]:
    """Inside, this kind of error is raised, and each of the regular expressions is found in its message."""
    with pytest.raises(error) as caught:
        yield
    message = str(caught.value)
    for fragment in fragments:
        assert re.search(fragment, message), f"{fragment!r} is not in: {message}"


# --- sizes and parameters of a convolution -------------------------------------------------------------------

BOTH = {"conv2d": F.conv2d, "conv_transpose2d": F.conv_transpose2d}


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options", "fragments"),
    [
        # channels
        ((1, 2, 5, 6), (1, 3, 2, 2), {}, [r"input \(1, 2, 5, 6\) has 2 channels", r"\(1, 3, 2, 2\).* expects 3"]),
        ((1, 2, 5, 6), (2, 2, 2, 2), {"groups": 2}, [r"2 channels", r"groups=2 expects 4", r"in_channels / groups"]),
        # groups
        ((1, 2, 5, 6), (3, 1, 2, 2), {"groups": 2}, [r"groups=2 does not divide the 3 output channels"]),
        ((1, 2, 5, 6), (2, 2, 2, 2), {"groups": 0}, [r"groups=0 must be at least 1"]),
        ((1, 2, 5, 6), (2, 2, 2, 2), {"groups": -2}, [r"groups=-2 must be at least 1"]),
        # kernel larger than the padded input
        ((1, 2, 5, 6), (1, 2, 6, 6), {}, [r"larger than the padded input", r"spans 6", r"has 5", r"more padding"]),
        ((1, 2, 5, 6), (1, 2, 5, 9), {"padding": 1}, [r"\(1, 2, 5, 9\)", r"spans 9", r"padding=\(1, 1\) has 8"]),
        ((1, 2, 5, 6), (1, 2, 3, 3), {"dilation": 3}, [r"dilation=\(3, 3\) spans 7", r"smaller kernel or dilation"]),
        ((1, 2, 0, 6), (1, 2, 1, 1), {}, [r"larger than the padded input", r"input \(1, 2, 0, 6\).* has 0"]),
        # parameters out of range
        ((1, 2, 5, 6), (1, 2, 2, 2), {"stride": 0}, [r"stride=\(0, 0\) must be at least 1"]),
        ((1, 2, 5, 6), (1, 2, 2, 2), {"stride": (1, -1)}, [r"stride=\(1, -1\) must be at least 1"]),
        ((1, 2, 5, 6), (1, 2, 2, 2), {"padding": -1}, [r"padding=\(-1, -1\) must be at least 0"]),
        ((1, 2, 5, 6), (1, 2, 2, 2), {"dilation": 0}, [r"dilation=\(0, 0\) must be at least 1"]),
        ((1, 2, 5, 6), (1, 2, 0, 2), {}, [r"weight \(1, 2, 0, 2\) has an empty kernel"]),
        # ranks
        ((5, 6), (1, 1, 2, 2), {}, [r"input has shape \(5, 6\)", r"\(batch, channels,", r"X\.reshape\(1, 1"]),
        ((1, 1, 2, 5, 6), (1, 2, 2, 2), {}, [r"input has shape \(1, 1, 2, 5, 6\)"]),
        ((1, 1, 5, 6), (2, 2), {}, [r"weight has shape \(2, 2\)", r"4 dimensions", r"K\.reshape\(1, 1"]),
        # names of padding
        ((1, 2, 5, 6), (1, 2, 2, 2), {"padding": "full"}, [r"padding='full' must be an int.*'valid' or 'same'"]),
        ((1, 2, 5, 6), (1, 2, 2, 2), {"padding": "same", "stride": 2}, [r"'same' needs stride 1, got \(2, 2\)"]),
    ],
)
def test_sizes_of_conv2d(x_shape: tuple, w_shape: tuple, options: dict, fragments: list[str], device: str) -> None:
    with refused(ValueError, r"^conv2d: ", *fragments):
        F.conv2d(image(*x_shape), image(*w_shape), **options)


@pytest.mark.parametrize(
    ("y_shape", "w_shape", "options", "fragments"),
    [
        ((1, 2, 5, 6), (3, 1, 2, 2), {}, [r"input \(1, 2, 5, 6\) has 2 channels, but weight \(3, 1, 2, 2\) expects 3"]),
        ((1, 3, 5, 6), (3, 1, 2, 2), {"groups": 2}, [r"groups=2 does not divide the 3 channels"]),
        ((1, 2, 5, 6), (2, 1, 2, 2), {"stride": 0}, [r"stride=\(0, 0\) must be at least 1"]),
        ((1, 2, 5, 6), (2, 1, 2, 2), {"padding": (0, -3)}, [r"padding=\(0, -3\) must be at least 0"]),
        ((1, 2, 5, 6), (2, 1, 2, 2), {"padding": 4}, [r"padding=\(4, 4\) gives -2 elements", r"Use less padding"]),
        ((1, 2, 5, 6), (2, 1, 2, 2), {"output_padding": 1}, [r"output_padding=\(1, 1\)", r"than stride=\(1, 1\)"]),
        ((1, 2, 5, 6), (2, 1, 2, 2), {"output_padding": -1}, [r"output_padding=\(-1, -1\) must be at least 0"]),
        ((1, 2, 0, 6), (2, 1, 2, 2), {}, [r"input \(1, 2, 0, 6\)", r"larger input"]),
        ((2, 2), (2, 1, 2, 2), {}, [r"input has shape \(2, 2\)"]),
    ],
)
def test_sizes_of_conv_transpose2d(
    y_shape: tuple, w_shape: tuple, options: dict, fragments: list[str], device: str
) -> None:
    with refused(ValueError, r"^conv_transpose2d: ", *fragments):
        F.conv_transpose2d(image(*y_shape), image(*w_shape), **options)


NO_PAIRS = [True, 1.0, 1.5, None, (1,), (1, 2, 3), (1, 2.0), (True, 1), [], {"a": 1, "b": 2}, np.ones(2)]


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("argument", ["stride", "padding", "dilation"])
@pytest.mark.parametrize("value", NO_PAIRS, ids=repr)
def test_what_is_no_int_and_no_pair_of_ints(value: object, argument: str, name: str) -> None:
    with refused(TypeError, rf"^{name}: {argument}=", r"must be an int or a pair of ints \(vertical, horizontal\)"):
        BOTH[name](image(1, 2, 5, 6), image(2, 2, 2, 2), **{argument: value})


@pytest.mark.parametrize("value", [True, 1.0, "1", None, (1, 1)])
@pytest.mark.parametrize("name", BOTH)
def test_groups_must_be_an_int(value: object, name: str) -> None:
    with refused(TypeError, rf"^{name}: groups", "must be integers"):
        BOTH[name](image(), image(2, 2, 2, 2), groups=value)


@pytest.mark.parametrize("name", BOTH)
def test_the_shape_of_a_bias(name: str, device: str) -> None:
    x, w, conv = image(), image(2, 2, 2, 2), BOTH[name]
    with refused(ValueError, rf"^{name}: bias has shape \(3,\)", r"2 output channels: expected \(2,\)"):
        conv(x, w, minigrad.ones(3))
    with refused(ValueError, r"bias has shape \(2, 1\)"):
        conv(x, w, minigrad.ones(2, 1))
    with refused(TypeError, rf"^{name}: needs tensors, got float", r"minigrad\.tensor"):
        conv(x, w, 1.0)


# --- dtypes and devices --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (np.ones(2, np.float16), "float16"),
        (np.ones(2, np.longdouble), "float128|longdouble|float96"),
        (np.ones(2, np.complex64), "complex64"),
        (1j, "complex128"),
        (np.array([None, 1]), "object"),
        ([1, None], "object"),
        (2**70, "object"),
        (None, "object"),
        ({"a": 1}, "object"),
        ({1, 2}, "object"),
        ("text", "<U4"),
        (np.array([b"x"]), "S1"),
        (np.array(["2026-01-01"], "datetime64[D]"), "datetime64"),
        (np.zeros(2, [("a", "f4")]), "a.*f4"),
        (np.ones(2, np.int16), "int16"),
        (np.ones(2, np.uint64), "uint64"),
    ],
)
def test_data_of_other_dtypes(data: object, name: str) -> None:
    with refused(TypeError, name, r"float32, float64, int32, int64, uint8, bool", "Convert"):
        minigrad.tensor(data)
    if isinstance(data, np.ndarray):
        with refused(TypeError, name, "Convert"):
            minigrad.from_numpy(data)
        with refused(TypeError, name, "Convert"):
            minigrad.ones(2) + data


@pytest.mark.parametrize("name", BOTH)
def test_convolution_of_mixed_or_wrong_dtypes(name: str, device: str) -> None:
    x, w, conv = image(), image(2, 2, 2, 2), BOTH[name]
    single, double = r"float32 \(1, 2, 5, 6\)", r"float64 \(2, 2, 2, 2\)"
    with refused(TypeError, rf"^{name}: input is {single}", f"weight {double}", r"\.double\(\)"):
        conv(x, w.double())
    with refused(TypeError, r"bias float64 \(2,\)"):
        conv(x, w, minigrad.ones(2, dtype="float64"))
    with refused(TypeError, r"floating-point tensors, got int64 \(1, 2, 5, 6\)", r"\.float\(\)"):
        conv(x.long(), w)
    with refused(TypeError, r"floating-point tensors, got bool \(2, 2, 2, 2\)"):
        conv(x, w.bool())


@pytest.mark.parametrize("name", BOTH)
def test_convolution_on_two_devices(name: str, device: str) -> None:
    other = "reference" if device != "reference" else "cpu"
    x, w, conv = image(), image(2, 2, 2, 2), BOTH[name]
    message = rf"input is .* on {device}, but weight .* on {other}"
    with refused(TypeError, rf"^{name}: ", message, r"\.to\(device\)"):
        conv(x, w.to(other))
    with refused(TypeError, rf"but bias .* on {other}"):
        conv(x, w, minigrad.ones(2, device=other))


@pytest.mark.parametrize("wrong", [[[1.0]], (1.0,), 1.0, None, "x", np.ones((1, 1, 3, 3), np.float32)], ids=repr)
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("conv2d", lambda wrong: F.conv2d(wrong, image(1, 1, 2, 2))),
        ("conv2d", lambda wrong: F.conv2d(image(1, 1, 3, 3), wrong)),
        ("conv_transpose2d", lambda wrong: F.conv_transpose2d(wrong, image(1, 1, 2, 2))),
        ("corr2d", lambda wrong: minigrad.corr2d(wrong, image(2, 2))),
        ("corr2d", lambda wrong: minigrad.corr2d(image(2, 2), wrong)),
        ("unfold", lambda wrong: F.unfold(wrong, 2)),
        ("pad", lambda wrong: F.pad(wrong, (1, 1))),
        ("linear", lambda wrong: F.linear(wrong, image(2, 2))),
        ("linear", lambda wrong: F.linear(image(2, 2), wrong)),
        ("mse_loss", lambda wrong: F.mse_loss(wrong, image(2, 2))),
        ("Parameter", lambda wrong: nn.Parameter(wrong)),
    ],
)
def test_what_is_no_tensor(name: str, call: Callable[[object], object], wrong: object) -> None:
    kind = type(wrong).__name__
    with refused(TypeError, rf"^{name}: needs (a tensor|tensors), got {kind}; .*minigrad\.tensor"):
        call(wrong)


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("exp: needs a tensor as input, got list", lambda: minigrad.exp([1.0])),
        ("sum: needs a tensor as input, got float", lambda: minigrad.sum(2.0, 0)),
        ("abs: needs a tensor as input, got NoneType", lambda: minigrad.absolute(None)),
        ("mm: needs a tensor as mat2, got list", lambda: minigrad.mm(minigrad.ones(1, 1), mat2=[[1.0]])),
    ],
)
def test_functions_name_the_argument_that_is_no_tensor(message: str, call: Callable[[], object]) -> None:
    with refused(TypeError, rf"^{message}; make one with minigrad\.tensor\(data\)"):
        call()


MORE = {  # what functions need besides the tensor
    "mask": minigrad.ones(2, 2) > 0, "index": 0, "dim": 0, "dims": (0,), "dim0": 0, "dim1": 0, "chunks": 1, "start": 0,
    "length": 1, "split_size_or_sections": 1, "size": (2,), "shape": (2,), "normalized_shape": (2,), "pad": (1, 1),
    "output_size": 2, "kernel_size": 2, "fill_value": 1, "value": 1, "exponent": 2, "high": 3, "min": 0,
}  # fmt: skip


def of_a_tensor() -> dict[str, Callable[[object], object]]:
    """The public functions whose first argument is a tensor, with the others filled in."""
    found = {}
    for home, module in (("minigrad", minigrad), ("F", F)):
        for name, function in vars(module).items():
            if inspect.isfunction(function) and name in module.__all__:
                parameters = list(inspect.signature(function).parameters.values())
                if parameters and parameters[0].name in ("input", "tensor"):
                    needed = [p.name for p in parameters[1:] if p.name in MORE or p.default is p.empty]
                    options = {argument: MORE.get(argument, minigrad.ones(2, 2)) for argument in needed}
                    options.pop("args", None)
                    found[f"{home}.{name}"] = partial(function, **options)
    return found


LAYERS = {
    "Linear": (2, 2), "Conv1d": (1, 1, 1), "Conv2d": (1, 1, 1), "ConvTranspose2d": (1, 1, 1), "Embedding": (2, 2),
    "LazyLinear": (1,), "LazyConv2d": (1, 1), "LazyBatchNorm2d": (), "BatchNorm1d": (2,), "BatchNorm2d": (2,),
    "LayerNorm": (2,), "MaxPool2d": (2,), "AvgPool2d": (2,), "AdaptiveAvgPool2d": (2,), "Dropout": (), "Flatten": (),
    "ReLU": (), "LeakyReLU": (), "GELU": (), "SiLU": (), "Softplus": (), "Sigmoid": (), "Tanh": (), "Softmax": (0,),
    "LogSoftmax": (0,),
}  # fmt: skip
CALLS = {**of_a_tensor(), **{name: getattr(nn, name)(*arguments) for name, arguments in LAYERS.items()}}


@pytest.mark.parametrize("wrong", [[1.0, 2.0], "x", None, 1.5], ids=repr)
@pytest.mark.parametrize("name", CALLS)
def test_every_function_and_layer_says_what_is_no_tensor(name: str, wrong: object) -> None:
    with refused(TypeError, "tensor", rf"got {type(wrong).__name__}\b"):
        CALLS[name](wrong)


def test_what_else_lacks_an_attribute_is_not_explained_away() -> None:
    class Broken(minigrad.Function):
        def forward(self, x):
            return x.no_such_name

    with pytest.raises(AttributeError, match="no_such_name"):
        Broken()(minigrad.ones(2))
    with pytest.raises(AttributeError, match="no_such_name"):
        minigrad.gradcheck(lambda x: x.no_such_name, minigrad.ones(2, dtype="float64", requires_grad=True))


def test_public_functions_can_be_pickled() -> None:
    functions = (minigrad.exp, minigrad.sum, minigrad.tensor, minigrad.concatenate, minigrad.softmax, F.relu, F.tanh)
    for function in functions:
        assert pickle.loads(pickle.dumps(function)) is function


# --- backward without a scalar, without a graph --------------------------------------------------------------


def test_backward_on_what_is_no_scalar(device: str) -> None:
    x = image(2, 3, requires_grad=True)
    for call in (lambda: (x * 2).backward(), lambda: minigrad.grad(x * 2, x)):
        with refused(RuntimeError, r"shape \(2, 3\)", "only a scalar", r"loss\.sum\(\)", r"backward\(gradient="):
            call()
    assert x.grad is None


def test_backward_without_a_graph(device: str) -> None:
    x = image(2, requires_grad=True)
    with minigrad.no_grad():
        unrecorded = (x * 2).sum()
    for loss in (image(2).sum(), x.detach().sum(), x.data.sum(), unrecorded):
        with refused(RuntimeError, r"shape \(\) that has no graph", r"no_grad\(\)", "Set requires_grad=True"):
            loss.backward()


@pytest.mark.parametrize(
    ("gradient", "error", "fragments"),
    [
        (lambda: minigrad.ones(3), ValueError, [r"gradient is float32 \(3,\)", r"float32 \(2,\)", "must match"]),
        (lambda: minigrad.ones(2, dtype="float64"), ValueError, [r"gradient is float64 \(2,\)", r"float32 \(2,\)"]),
        (lambda: [1.0, 1.0], TypeError, [r"gradient must be a tensor, got list"]),
        (lambda: 1.0, TypeError, [r"gradient must be a tensor, got float"]),
    ],
)
def test_a_gradient_that_does_not_fit(
    gradient: Callable, error: type[Exception], fragments: list[str], device: str
) -> None:
    x = minigrad.ones(2, requires_grad=True)
    with refused(error, *fragments):
        (x * 2).backward(gradient())
    assert x.grad is None


# --- sizes that overflow -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "fragments"),
    [
        (lambda x, w: F.conv2d(x, w, padding=HUGE), [r"^conv2d: .* shape \(1, 1, 2199", "more than can be addressed"]),
        (lambda x, w: F.conv2d(x, w, padding=VAST), [r"^conv2d: a result of shape", "more than can be addressed"]),
        (lambda x, w: F.conv2d(x, w, padding=(0, 2**63)), [r"^conv2d: a result of shape"]),
        (lambda x, w: F.conv2d(x, w, dilation=VAST), [r"larger than the padded input", rf"spans {VAST + 1}"]),
        (lambda x, w: F.conv2d(x, w, dilation=2**64), [r"larger than the padded input"]),
        (lambda x, w: F.conv_transpose2d(x, w, stride=VAST), [r"^conv_transpose2d: a result of shape"]),
        (lambda x, w: F.conv_transpose2d(x, w, dilation=VAST), [r"^conv_transpose2d: a result of shape"]),
        (lambda x, w: F.conv_transpose2d(x, w, padding=VAST), [r"gives -\d+ elements"]),
        (lambda x, w: F.unfold(x, VAST), [r"^unfold: the kernel is larger than the padded input"]),
        (lambda x, w: F.unfold(x, 1, padding=VAST), [r"^unfold: a result of shape"]),
        (lambda x, w: F.pad(x, (VAST, VAST)), [r"^pad: a result of shape \(1, 1, 5, 9223372036854775813\)"]),
        (lambda x, w: minigrad.full((HUGE, HUGE), 1.0), [r"^full: a result of shape \(1099511627776, 1099511627776\)"]),
        (lambda x, w: minigrad.zeros(VAST), [r"^zeros: a result of shape"]),
        (lambda x, w: minigrad.ones(HUGE, HUGE), [r"^ones: a result of shape"]),
        (lambda x, w: minigrad.rand(VAST, 2), [r"^rand: a result of shape"]),
        (lambda x, w: minigrad.randn(2**64), [r"^randn: a result of shape"]),
        (lambda x, w: x.expand(HUGE, HUGE, 5, 5), [r"^broadcast: a result of shape \(1099511627776"]),
        (lambda x, w: x[0, 0, :1, :1].broadcast_to((VAST, VAST)), [r"^broadcast: a result of shape"]),
        (lambda x, w: x.reshape(HUGE, HUGE), [r"^reshape: shape \(1, 1, 5, 5\) has 25 elements, \(1099511627776, "]),
        (lambda x, w: x.reshape(2**32, 2**32), [r"^reshape: .* 25 elements"]),  # whose product is 0 modulo 2^64
        (lambda x, w: x.reshape(-1, VAST), [r"^reshape: cannot infer the size -1 in \(-1, 4611686018427387904\)"]),
    ],
)
def test_sizes_that_overflow(call: Callable[[Tensor, Tensor], object], fragments: list[str], device: str) -> None:
    with refused(ValueError, *fragments):
        call(image(1, 1, 5, 5), image(1, 1, 2, 2))


@pytest.mark.parametrize(
    "call",
    [
        lambda x, w: minigrad.zeros(2**45),
        lambda x, w: minigrad.ones(2**23, 2**23),
        lambda x, w: minigrad.rand(2**45),
        lambda x, w: minigrad.arange(2**45),
        lambda x, w: F.conv2d(x, w, padding=2**21),
        lambda x, w: F.conv_transpose2d(x, w, stride=2**21),
        lambda x, w: F.pad(x, (2**44, 2**44)),
        lambda x, w: x[0, 0, :1, :1].expand(2**22, 2**23) + 1,
    ],
)
def test_sizes_that_no_memory_holds(call: Callable[[Tensor, Tensor], object], device: str) -> None:
    """128 TiB: an error that Python programs expect, not a crash. OpenCL's kernels cannot even count so far."""
    with pytest.raises((MemoryError, ValueError), match=r"Unable to allocate|counts in 32 bits"):
        call(image(1, 1, 5, 5), image(1, 1, 2, 2))


@pytest.mark.parametrize("device", ["opencl"], indirect=True)
def test_an_array_too_large_for_the_opencl_device(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minigrad.get_backend(device)._runtime, "_most_bytes", 4000)
    minigrad.zeros(1000)
    with refused(MemoryError, r"shape \(13, 77\) takes 4,004 bytes; .* allows 4,000"):
        minigrad.zeros(13, 77)


@pytest.mark.parametrize("size", [2**31, 2**62])
def test_huge_strides_and_dilations_are_right_or_refused(size: int, device: str) -> None:
    """In these the result is small, but products of coordinates and parameters exceed 32 or 64 bits on the way."""
    x, w, column = minigrad.full((1, 1, 2, 2), 3.0), minigrad.full((1, 1, 1, 1), 2.0), minigrad.ones(1, 1, 2, 1)
    for call, expected in [
        (lambda: F.conv2d(x, w, stride=size), [[6.0]]),
        (lambda: F.conv2d(x, w, dilation=size), [[6.0, 6.0], [6.0, 6.0]]),
        (lambda: F.conv2d(x, w, stride=size, padding=size), [[0.0] * 3, [0.0, 6.0, 0.0], [0.0] * 3]),
        (lambda: F.conv2d(x, column, stride=size, padding=size, dilation=size), [[0.0, 3.0, 0.0]] * 2),
    ]:
        message = ""
        try:
            found = call()[0, 0].tolist()
        except ValueError as error:
            message, found = str(error), None
        assert found == expected or re.search("stride|padding|dilation|counts in 32 bits", message)


# --- arrays of every layout ----------------------------------------------------------------------------------

BASE = np.arange(36, dtype="float32").reshape(6, 6)
LAYOUTS = {
    "C order": BASE,
    "Fortran order": np.asfortranarray(BASE),
    "transposed": BASE.T,
    "reversed": BASE[::-1, ::-1],
    "strided": np.arange(144, dtype="float32").reshape(12, 12)[::2, 1::2],
    "broadcast": np.broadcast_to(BASE[0], (6, 6)),
    "foreign byte order": BASE.astype(">f4"),
    "read-only": np.frombuffer(BASE.tobytes(), "float32").reshape(6, 6),
    "sliding windows": np.lib.stride_tricks.sliding_window_view(np.arange(11, dtype="float32"), 6),
}
KERNEL = np.array([[1, -2], [3, 0.5]], "float32")


@pytest.mark.parametrize("name", LAYOUTS)
def test_convolution_of_arrays_of_any_layout(name: str, device: str) -> None:
    array = LAYOUTS[name]
    expected = sum(KERNEL[u, v] * array[u : u + 5, v : v + 5] for u, v in np.ndindex(2, 2))
    x, w = minigrad.tensor(array, requires_grad=True), minigrad.tensor(KERNEL, requires_grad=True)
    y = minigrad.corr2d(x, w)
    np.testing.assert_array_equal(y.detach().numpy(), expected)
    y.backward(minigrad.ones(5, 5))
    sums = [[array[u : u + 5, v : v + 5].sum() for v in range(2)] for u in range(2)]
    np.testing.assert_array_equal(w.grad.numpy(), sums)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "foreign byte order"])
def test_shared_arrays_of_any_layout(name: str) -> None:
    array = LAYOUTS[name]
    shared = minigrad.from_numpy(array)
    kernel = minigrad.tensor(KERNEL, device="cpu")
    expected = minigrad.corr2d(minigrad.tensor(array, device="cpu"), kernel)
    assert minigrad.corr2d(shared, kernel).tolist() == expected.tolist()
    assert (shared.T + 1).tolist() == (array.T + 1).tolist()
    assert shared.sum(0).tolist() == array.sum(0).tolist()
    if not array.flags.writeable:
        with refused(RuntimeError, "read-only", r"x\.clone\(\)"):
            shared.zero_()
        assert shared.clone().zero_().sum().item() == 0


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_arrays_without_elements(shape: tuple[int, ...], device: str) -> None:
    x = minigrad.zeros(shape, requires_grad=True)
    for y in (x.exp(), x * 2 + x, x.relu(), x.flip(0), x.permute(*reversed(range(x.ndim))), x[..., ::-1], x.double()):
        assert y.numel() == 0
    loss = (x * x).sum() + 1
    assert loss.item() == 1.0
    loss.backward()
    assert x.grad.shape == shape


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "y_shape"),
    [
        ((0, 1, 3, 3), (2, 1, 2, 2), (0, 2, 2, 2)),  # no images
        ((2, 1, 3, 3), (0, 1, 2, 2), (2, 0, 2, 2)),  # no kernels
        ((2, 0, 3, 3), (4, 0, 2, 2), (2, 4, 2, 2)),  # no channels: sums of nothing
    ],
)
def test_convolutions_of_nothing(x_shape: tuple, w_shape: tuple, y_shape: tuple, device: str) -> None:
    x, w = minigrad.ones(x_shape, requires_grad=True), minigrad.ones(w_shape, requires_grad=True)
    y = F.conv2d(x, w)
    assert y.shape == y_shape
    assert not y.detach().numpy().any()
    y.sum().backward()
    assert x.grad.shape == x_shape
    assert w.grad.shape == w_shape
    assert not x.grad.numpy().any()
    assert not w.grad.numpy().any()


# --- devices that are not there ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda: minigrad.tensor([1.0], device="gpu"),
        lambda: minigrad.zeros(1, device="cuda"),
        lambda: minigrad.ones(1).to("cuda:0"),
        lambda: minigrad.get_backend(""),
        lambda: minigrad.get_backend(["cpu"]),
        lambda: minigrad.set_default_device(None),
        lambda: nn.Linear(1, 1, device="tpu"),
    ],
)
def test_unknown_devices(call: Callable[[], object]) -> None:
    with refused(ValueError, r"device .* is not one of 'reference', 'cpu', 'opencl'"):
        call()
