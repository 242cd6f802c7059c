"""Backend: the vocabulary of primitives every operation of minigrad is made of. To port minigrad to a new kind of
device, implement these; gradients then follow, because no primitive knows what a gradient is.

An *array* is whatever type the back end likes, with two attributes: `shape` (a tuple of ints) and `dtype` (a
NumPy dtype). Dtypes: float32, float64, int32, int64, uint8, bool. Callers keep these promises, so
primitives need not check: arguments are arrays of this back end; operands of an elementwise primitive, of matmul and of
the convolutions have one dtype and, where the equation says so, one shape, except that an operand of an elementwise
primitive of two or more may have shape (): it is a number that meets every element. Axes are non-negative.
Results are new arrays; only `assign`, `add_bias` and the steps of optimizers write. Movement primitives return views
where NumPy does: writing into one writes the array it was taken from.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.backends.geometry import ConvGeometry
from minigrad.backends.geometry import Shape as Shape

Array = Any
HostArray = npt.NDArray[Any]
Elementwise = Callable[..., Array]

READ_ONLY = (
    "the array is read-only: its elements stand for several (it was expanded or broadcast), or it was made from a "
    "read-only NumPy array. Write into x.clone()."
)


def is_basic(key: Any) -> bool:
    """Whether a key of getitem has only ints, slices, None and Ellipsis, so that it never names an element twice."""
    return not any([isinstance(part, np.ndarray) for part in key])


class Backend(ABC):
    """One kind of device: its name, and its primitives.

    The elementwise ones, `neg`, `exp`, `add` ... `where`, stand in the source as a list, with an equation each.
    """

    name: str
    watcher: int | None = None  # the thread that is told of its primitives

    def __repr__(self) -> str:
        return self.name

    @contextmanager
    def watched(self, note: Callable[[str, tuple[Any, ...], Any], None]) -> Iterator[None]:
        """Inside, note(name, arguments, result) is told of every primitive that this thread calls (see capture.py).

        Not of those that a primitive calls itself, nor of from_numpy, shares_memory and is_contiguous, which compute
        nothing.
        """
        thread, under_way = get_ident(), False
        if vars(self).setdefault("watcher", thread) != thread or "add" in vars(self):
            raise RuntimeError(f"capture: a step is being recorded on {self} already; one at a time.")

        def reporting(name: str, primitive: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                nonlocal under_way
                if under_way or get_ident() != thread:
                    return primitive(*arguments)
                under_way = True
                try:
                    result = primitive(*arguments)
                finally:
                    under_way = False
                note(name, arguments, result)
                return result

            return call

        silent = ("name", "watcher", "watched", "from_numpy", "shares_memory", "is_contiguous")
        names = {name for name in (*dir(Backend), *Backend.__annotations__) if name[0] != "_" and name not in silent}
        vars(self).update({name: reporting(name, getattr(self, name)) for name in names})
        try:
            yield
        finally:
            for name in (*names, "watcher"):
                del vars(self)[name]

    # --- to and from the host ---------------------------------------------------------------------------

    @abstractmethod
    def from_numpy(self, array: HostArray) -> Array:
        """The array on this device; may share the memory of `array`."""

    @abstractmethod
    def to_numpy(self, x: Array) -> HostArray:
        """The array on the host; may share the memory of `x`."""

    @abstractmethod
    def full(self, shape: Shape, value: float, dtype: np.dtype[Any]) -> Array:
        """y[...] = value"""

    @abstractmethod
    def copy(self, x: Array) -> Array:
        """y = x in memory of its own, C-contiguous."""

    @abstractmethod
    def astype(self, x: Array, dtype: np.dtype[Any]) -> Array:
        """y = x converted; floats to integers towards zero, anything to bool by x != 0."""

    @abstractmethod
    def shares_memory(self, x: Array, y: Array) -> bool:
        """Whether writing `x` may change `y`; may err on the side of True."""

    @abstractmethod
    def is_contiguous(self, x: Array) -> bool:
        """Whether the elements of `x` follow each other in memory in row-major order."""

    # --- elementwise, of operands x, or x and y, of one shape or shape () -----------------------------------

    neg: Elementwise  # -x
    exp: Elementwise  # e^x
    log: Elementwise  # natural logarithm; -inf at 0, NaN below
    log1p: Elementwise  # log(1 + x), accurate also where x is near 0
    sin: Elementwise  # sine; NaN for infinities
    cos: Elementwise  # cosine; NaN for infinities
    round: Elementwise  # the nearest whole number (floats), the even one of two
    abs: Elementwise  # |x|
    sign: Elementwise  # -1, 0 or 1 (NaN for NaN)
    relu: Elementwise  # max(x, 0); NaN stays NaN
    sigmoid: Elementwise  # 1 / (1 + e^-x), without overflow
    tanh: Elementwise  # (e^x - e^-x) / (e^x + e^-x), without overflow
    erf: Elementwise  # 2 / sqrt(pi) * the integral of e^-t^2 from 0 to x
    add: Elementwise  # x + y
    sub: Elementwise  # x - y
    mul: Elementwise  # x * y
    div: Elementwise  # x / y (floats); signed infinity or NaN where y is 0
    floor_divide: Elementwise  # x / y rounded down (numbers); where y is 0, as div for floats, undefined for integers
    remainder: Elementwise  # x - y * floor(x / y) (numbers), with the sign of y; NaN (integers: undefined) where y is 0
    bitwise_and: Elementwise  # x & y (integers and bools)
    bitwise_or: Elementwise  # x | y (integers and bools)
    bitwise_xor: Elementwise  # x ^ y (integers and bools)
    left_shift: Elementwise  # x * 2^y (integers), without the bits that do not fit: 0 where y is too large or negative
    right_shift: Elementwise  # floor(x / 2^y) (integers): 0 or -1, by the sign of x, where y is too large or negative
    power: Elementwise  # x^y; y is an array or a Python number. NaN for x < 0 and fractional y
    maximum: Elementwise  # the larger of x and y; NaN if either is NaN
    equal: Elementwise  # x == y, as bool
    less: Elementwise  # x < y, as bool
    less_equal: Elementwise  # x <= y, as bool
    where: Elementwise  # where(condition, x, y): x where the bool array `condition` holds, else y

    # --- reductions: axes is a sorted tuple; reduced axes stay, with size 1 --------------------------------

    @abstractmethod
    def sum(self, x: Array, axes: tuple[int, ...]) -> Array:
        """sum over axes; 0 for none. Integers and bools add up in int64"""

    @abstractmethod
    def max(self, x: Array, axes: tuple[int, ...]) -> Array:
        """largest element over (non-empty) axes; NaN if there is one"""

    @abstractmethod
    def argmax(self, x: Array, axis: int) -> Array:
        """int64 position along axis of the first largest element, of the first NaN if there is one"""

    # --- movement: elements change place, not value --------------------------------------------------------

    @abstractmethod
    def reshape(self, x: Array, shape: Shape) -> Array:
        """the same elements in the same (row-major) order under another shape"""

    @abstractmethod
    def permute(self, x: Array, axes: tuple[int, ...]) -> Array:
        """y.shape[k] = x.shape[axes[k]]"""

    @abstractmethod
    def broadcast_to(self, x: Array, shape: Shape) -> Array:
        """repeat along axes of size 1 and along new axes in front (NumPy's rule)"""

    @abstractmethod
    def getitem(self, x: Array, key: Any) -> Array:
        """x[key] as NumPy has it; key is made of ints, slices, None, Ellipsis and NumPy index or mask arrays"""

    @abstractmethod
    def put(self, x: Array, key: Any, shape: Shape) -> Array:
        """y = 0, then y[key] += x, elements that key names twice added twice: the adjoint of getitem"""

    @abstractmethod
    def concatenate(self, arrays: Sequence[Array], axis: int) -> Array:
        """one after the other along axis"""

    @abstractmethod
    def assign(self, x: Array, key: Any, value: Array) -> None:
        """x[key] = value, in place; value is shaped like x[key]"""

    # --- products ------------------------------------------------------------------------------------------

    @abstractmethod
    def matmul(self, x: Array, y: Array) -> Array:
        """z[..., i, j] = sum_k x[..., i, k] y[..., k, j] (numbers); leading axes equal"""

    # The convolutions are the three partial derivatives of one number, trilinear in x, w and y:
    #
    #     T = sum over n, o, c, i, j, u, v of  y[n,o,i,j] * x[n,c,h,k] * w[o,c,u,v],
    #     h = i * stride - padding + u * dilation,  k = j * stride - padding + v * dilation  (where inside the image),
    #
    # with c counted within the group of o: w[o,c] meets channel (group of o) * (in_channels / groups) + c of x.

    @abstractmethod
    def conv2d(self, x: Array, w: Array, geometry: ConvGeometry) -> Array:
        """dT/dy: y[n,o,i,j] = sum over c, u, v of x[n,c,h,k] * w[o,c,u,v]"""

    @abstractmethod
    def conv2d_input_grad(self, y: Array, w: Array, geometry: ConvGeometry) -> Array:
        """dT/dx: x[n,c,h,k] = sum over o, i, j, u, v that meet (h, k) of y[n,o,i,j] * w[o,c,u,v]"""

    @abstractmethod
    def conv2d_weight_grad(self, x: Array, y: Array, geometry: ConvGeometry) -> Array:
        """dT/dw: w[o,c,u,v] = sum over n, i, j of x[n,c,h,k] * y[n,o,i,j]"""

    # --- what networks do most: made of the above in composed.py, which a back end may do at one go ------------

    @abstractmethod
    def relu_grad(self, y: Array, dy: Array) -> Array:
        """dx = 0 where y <= 0, else dy (also where y is NaN)"""

    @abstractmethod
    def sigmoid_grad(self, y: Array, dy: Array) -> Array:
        """dx = dy * y * (1 - y)"""

    @abstractmethod
    def tanh_grad(self, y: Array, dy: Array) -> Array:
        """dx = dy * (1 - y * y)"""

    @abstractmethod
    def gelu(self, x: Array) -> Array:
        """y = x / 2 * (1 + erf(x / sqrt(2)))"""

    @abstractmethod
    def gelu_grad(self, x: Array, dy: Array) -> Array:
        """dx = dy * ((1 + erf(x / sqrt(2))) / 2 + x * e^(-x^2 / 2) / sqrt(2 pi))"""

    @abstractmethod
    def add_bias(self, x: Array, bias: Array) -> None:
        """x[n,c,...] += bias[c], in place"""

    # Along one axis, which is not empty:

    @abstractmethod
    def softmax(self, x: Array, axis: int) -> Array:
        """y = e^x / (the sum of e^x), without overflow"""

    @abstractmethod
    def softmax_grad(self, dy: Array, y: Array, axis: int) -> Array:
        """dx = y * (dy - the sum of dy * y)"""

    @abstractmethod
    def log_softmax(self, x: Array, axis: int) -> Array:
        """y = x - log(the sum of e^x), without overflow"""

    @abstractmethod
    def log_softmax_grad(self, dy: Array, y: Array, axis: int) -> Array:
        """dx = dy - e^y * the sum of dy"""

    # Windows: window (i, j) and tap (u, v) meet (h, k) as in conv2d; an element's place is h * width + k, in int32.

    @abstractmethod
    def max_pool2d(self, x: Array, geometry: ConvGeometry) -> tuple[Array, Array]:
        """y[n,c,i,j] = the largest x[n,c,h,k] that window (i, j) meets, NaN if there is one; and the places of the
        first of the largest (of the last NaN)"""

    @abstractmethod
    def pick(self, x: Array, places: Array, geometry: ConvGeometry) -> Array:
        """y[n,c,i,j] = x[n,c] at place places[n,c,i,j]"""

    @abstractmethod
    def spread(self, y: Array, places: Array, geometry: ConvGeometry) -> Array:
        """x = 0, then x[n,c] at place places[n,c,i,j] += y[n,c,i,j]: the adjoint of pick"""

    # Batch norm: x is (batch, channels, places) and not empty, the others are (channels,). With normal[n,c,j] =
    # (x[n,c,j] - mean[c]) / sqrt(var[c] + eps), and sums and means of each channel, over n and j:

    @abstractmethod
    def batch_norm(self, x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
        """y = normal * weight + bias; mean = the mean of x; var = the mean of (x - mean)^2"""

    @abstractmethod
    def batch_norm_grad(self, dy: Array, x: Array, weight: Array, mean: Array, var: Array,
                        eps: float) -> tuple[Array, Array, Array]:
        """dx = weight / sqrt(var + eps) * (dy - mean of dy - normal * mean of (dy * normal)); dweight = the sum of
        dy * normal; dbias = the sum of dy"""

    # Layer norm: the same with rows for channels. x is (rows, places) and not empty, weight and bias are (places,),
    # mean and var (rows,). normal[r,j] = (x[r,j] - mean[r]) / sqrt(var[r] + eps), and means are those of a row.

    @abstractmethod
    def layer_norm(self, x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
        """y = normal * weight + bias; mean = the mean of x; var = the mean of (x - mean)^2"""

    @abstractmethod
    def layer_norm_grad(self, dy: Array, x: Array, weight: Array, mean: Array, var: Array,
                        eps: float) -> tuple[Array, Array, Array]:
        """dx = (g - mean of g - normal * mean of (g * normal)) / sqrt(var + eps) for g = dy * weight; dweight = the sum
        of dy * normal over the rows; dbias = the sum of dy over the rows"""

    # Optimizers write their arrays in place, all but g: p is a parameter, g its gradient, the rest is remembered.

    @abstractmethod
    def sgd(self, p: Array, g: Array, b: Array | None, lr: float, momentum: float, damping: float, decay: float,
            nesterov: bool) -> None:
        """g <- g + decay * p;  b <- momentum * b + damping * g;  p <- p - lr * (b, or g + momentum * b if nesterov, or
        g if b is None)"""

    @abstractmethod
    def adam(self, p: Array, g: Array, m: Array, v: Array, most: Array | None, decay: float, shrink: float,
             new_mean: float, new_square: float, eps: float, step: float) -> None:
        """g <- g + decay * p;  m <- m + new_mean * (g - m);  v <- v + new_square * (g^2 - v);  most <- max(most, v);
        p <- shrink * p - step * m / (sqrt(v, or most if it is not None) + eps)"""
