"""Writing in place: the values, what is refused, and that a write never leads to a silently wrong gradient."""

import gc
import operator
import weakref
from collections.abc import Callable

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn

# --- values (every kind of key is in ops/test_index.py) ------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, [7.0, 7.0, 7.0]),
        (True, [1.0, 1.0, 1.0]),
        (np.float64(0.5), [0.5, 0.5, 0.5]),
        (np.array([1, 2, 3]), [1.0, 2.0, 3.0]),
        (np.array([1.5]), [1.5, 1.5, 1.5]),
        (minigrad.tensor([1, 2, 3], device="reference"), [1.0, 2.0, 3.0]),
        (minigrad.tensor(0.25, dtype="float64", device="reference"), [0.25, 0.25, 0.25]),
        (minigrad.tensor([True, False, True], device="reference"), [1.0, 0.0, 1.0]),
    ],
)
def test_written_values_are_broadcast_and_converted(value: object, expected: list[float], device: str) -> None:
    x = minigrad.zeros(2, 3)
    x[1] = value.to(device) if isinstance(value, Tensor) else value
    assert x.dtype == minigrad.float32
    assert x.tolist() == [[0.0] * 3, expected]


def test_numbers_reach_integers_undamaged(device: str) -> None:
    x = minigrad.zeros(2, dtype="int64")
    x[0], x[1] = 123456789.0, 2**62  # float32 would make 123456792 of the first
    assert x.tolist() == [123456789, 2**62]


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda x: x.__setitem__(slice(1, None), x[:-1]), [1.0, 1.0, 2.0, 3.0]),
        (lambda x: x.__setitem__(slice(None, -1), x[1:]), [2.0, 3.0, 4.0, 4.0]),
        (lambda x: x.copy_(x.flip(0)), [4.0, 3.0, 2.0, 1.0]),
        (lambda x: x.__setitem__([0, 3], x[[3, 0]]), [4.0, 2.0, 3.0, 1.0]),
        (lambda x: x.__setitem__([0, 0], minigrad.tensor([8.0, 9.0])), [9.0, 2.0, 3.0, 4.0]),
        (lambda x: x.reshape(2, 2).copy_(x.reshape(2, 2)), [1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_source_and_target_may_overlap(write: Callable[[Tensor], None], expected: list[float], device: str) -> None:
    x = minigrad.tensor([1.0, 2.0, 3.0, 4.0])
    write(x)
    assert x.tolist() == expected


@pytest.mark.parametrize(
    ("assign", "other", "expected"),
    [
        (operator.iadd, 1, [2.0, 3.0]),
        (operator.isub, np.array([1, 1]), [0.0, 1.0]),
        (operator.imul, np.float64(2), [2.0, 4.0]),
        (operator.itruediv, 2, [0.5, 1.0]),
        (operator.ipow, 2, [1.0, 4.0]),
    ],
)
def test_augmented_assignment_writes_the_same_memory(
    assign: Callable, other: object, expected: list[float], device: str
) -> None:
    x = minigrad.tensor([1.0, 2.0])
    view = x.detach()
    assert assign(x, other) is x
    assert x.tolist() == view.tolist() == expected


def test_masks_are_augmented_in_place(device: str) -> None:
    mask = minigrad.tensor([True, False, True])
    view = mask.detach()
    mask &= minigrad.tensor([True, True, False])
    assert view.tolist() == [True, False, False]
    mask |= np.array([False, True, False])
    assert view.tolist() == [True, True, False]


def test_methods_that_write_return_the_tensor(device: str) -> None:
    x = minigrad.ones(2, 2)
    view = x.detach()
    assert x.zero_() is x
    assert view.tolist() == [[0.0, 0.0]] * 2
    assert x.fill_(3) is x
    assert view.tolist() == [[3.0, 3.0]] * 2
    assert x.copy_(minigrad.tensor([1.0, 2.0])) is x
    assert view.tolist() == [[1.0, 2.0]] * 2


@pytest.mark.parametrize(
    "update",
    [
        "with minigrad.no_grad(): w -= 0.1 * w.grad",
        "w.data -= 0.1 * w.grad",
        "w.data[:] -= 0.1 * w.grad",  # the book's
        "w.data = w.data - 0.1 * w.grad",
        "w.detach()[...] = w.detach() - 0.1 * w.grad",
    ],
)
def test_ways_to_update_a_parameter(update: str, device: str) -> None:
    w = minigrad.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    (w * w).sum().backward()
    scope = {"w": w, "minigrad": minigrad}
    exec(update, scope)
    assert scope["w"] is w
    assert w.is_leaf
    assert w.requires_grad
    np.testing.assert_allclose(w.tolist(), [0.8, 1.6], rtol=1e-15)
    w.grad.zero_()
    (w * w).sum().backward()
    np.testing.assert_allclose(w.grad.tolist(), [1.6, 3.2], rtol=1e-15)


def test_data_replaced_shares_the_new_memory(device: str) -> None:
    x, y = minigrad.zeros(2), minigrad.tensor([1.0, 2.0])
    x.data = y
    y[0] = 5
    assert x.tolist() == [5.0, 2.0]
    square = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    square.data = square.data.T
    assert square.tolist() == [[1.0, 3.0], [2.0, 4.0]]


# --- a write that backward must notice -----------------------------------------------------------------------
#
# Each case computes a loss from x, which requires grad, and a, which does not, and returns it with a statement that
# overwrites a value saved for backward.

NOTICED: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Callable[[], object]]]] = {
    "factor": lambda x, a: (x * a, lambda: a.fill_(7)),
    "one element of a factor": lambda x, a: (x * a, lambda: a.__setitem__(0, 7)),
    "augmented assignment": lambda x, a: (x * a, lambda: operator.iadd(a, 7)),
    "parameter, without grad": lambda x, a: (x * x, lambda: minigrad.no_grad()(x.fill_)(7)),
    "parameter, through .data": lambda x, a: (x * x, lambda: x.data.fill_(7)),
    "parameter, through .detach()": lambda x, a: (x * x, lambda: x.detach().fill_(7)),
    "view of a factor": lambda x, a: (x * a, lambda: a.reshape(2, 2).fill_(7)),
    "view of a view": lambda x, a: (x * a, lambda: a.detach()[:].data.fill_(7)),
    "factor that is a view": lambda x, a: (x.reshape(2, 2) * a.reshape(2, 2), lambda: a.fill_(7)),
    "replaced": lambda x, a: (x * a, lambda: setattr(a, "data", minigrad.ones(4))),
    "output": lambda x, a: (y := x.exp(), lambda: y.detach().fill_(7)),
    "output, without grad": lambda x, a: (y := x.sigmoid(), lambda: minigrad.no_grad()(y.fill_)(7)),
    "input of a division": lambda x, a: (x / a, lambda: a.fill_(7)),
    "input of a power": lambda x, a: (x**3, lambda: x.data.fill_(7)),
    "input of maximum": lambda x, a: (minigrad.maximum(x, a), lambda: a.fill_(7)),
    "input of amax": lambda x, a: (x.amax(), lambda: x.data.fill_(7)),
    "condition": lambda x, a: (minigrad.where(mask := a > 0, x, a), lambda: mask.fill_(False)),
    "matrix": lambda x, a: (x.reshape(2, 2) @ a.reshape(2, 2), lambda: a.fill_(7)),
    "kernel": lambda x, a: (F.conv2d(x.reshape(1, 2, 2), a.reshape(1, 1, 2, 2)), lambda: a.fill_(7)),
    "image": lambda x, a: (F.conv2d(a.reshape(1, 2, 2), x.reshape(1, 1, 2, 2)), lambda: a.fill_(7)),
}


@pytest.mark.parametrize("name", NOTICED)
def test_backward_notices_a_write_to_what_it_needs(name: str, device: str) -> None:
    x, a = minigrad.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True), minigrad.tensor([4.0, 3.0, 2.0, 1.0])
    loss, write = NOTICED[name](x, a)
    loss.sum().backward(retain_graph=True)
    expected = x.grad.tolist()
    write()
    with pytest.raises(RuntimeError, match=r"needs a tensor of shape .* written in place or replaced.*x\.clone\(\)"):
        loss.sum().backward()
    assert x.grad.tolist() == expected


def test_replaced_data_is_watched_too(device: str) -> None:
    x, a, b = minigrad.ones(2, requires_grad=True), minigrad.ones(2), minigrad.ones(2)
    a.data = b
    loss = (x * a).sum()
    b[0] = 7
    with pytest.raises(RuntimeError, match="written in place"):
        loss.backward()


def test_a_module_that_moves_between_forward_and_backward_is_noticed(device: str) -> None:
    layer = nn.Conv2d(1, 1, 2)
    loss = layer(minigrad.ones(1, 2, 2, requires_grad=True)).sum()
    layer.to("float64")
    with pytest.raises(RuntimeError, match="replaced"):
        loss.backward()


# --- a write that backward need not notice -------------------------------------------------------------------

HARMLESS: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Callable[[], object], list[float]]]] = {
    "term": lambda x, a: (x + a, lambda: a.fill_(7), [1.0] * 4),
    "what only the other factor would need": lambda x, a: (x * a, lambda: x.data.fill_(7), [4.0, 3.0, 2.0, 1.0]),
    "input where the output was saved": lambda x, a: (x.relu(), lambda: x.data.fill_(-7), [1.0] * 4),
    "output where the input was saved": lambda x, a: (y := abs(x), lambda: y.data.fill_(7), [1.0] * 4),
    "clone": lambda x, a: (x * a.clone(), lambda: a.fill_(7), [4.0, 3.0, 2.0, 1.0]),
    "copied tensor": lambda x, a: (x * minigrad.tensor(a), lambda: a.fill_(7), [4.0, 3.0, 2.0, 1.0]),
    "another tensor": lambda x, a: (x * a, lambda: minigrad.ones(4).fill_(7), [4.0, 3.0, 2.0, 1.0]),
    "shape": lambda x, a: (x.reshape(2, 2).sum(0), lambda: x.data.fill_(7), [1.0] * 4),
    "the weight of an input that needs no gradient": lambda x, a: (a * a + x, lambda: a.fill_(7), [1.0] * 4),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_write_to_what_backward_does_not_need_is_allowed(name: str, device: str) -> None:
    x, a = minigrad.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True), minigrad.tensor([4.0, 3.0, 2.0, 1.0])
    loss, write, expected = HARMLESS[name](x, a)
    write()
    loss.sum().backward()
    assert x.grad.tolist() == expected


def test_a_write_to_a_view_never_gives_a_wrong_gradient(device: str) -> None:
    """Whether a slice is a view or stands for one."""
    x, a = minigrad.ones(2, requires_grad=True), minigrad.tensor([1.0, 2.0, 3.0])
    loss = (x * a[1:]).sum()
    a[2] = 7
    with pytest.raises(RuntimeError, match=r"written (in place|since)"):
        loss.backward()
    assert x.grad is None


@pytest.mark.parametrize(
    "view",
    [lambda x: x[1], lambda x: x.T, lambda x: x[1:].T[0], lambda x: x.expand(3, 2, 2), lambda x: x[1].detach()],
    ids=["row", "T", "view of a view", "expand", "detached"],
)
def test_a_view_shows_what_is_written_later(view: Callable[[Tensor], Tensor], device: str) -> None:
    x = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    before = view(x)
    before.tolist()
    x[1, 0] = 7
    assert 7.0 in before.flatten().tolist()
    assert before.tolist() == view(x).tolist()


def test_writes_after_the_walk_are_free(device: str) -> None:
    w = minigrad.ones(2, requires_grad=True)
    for step in range(3):
        (w * w).sum().backward()
        with minigrad.no_grad():
            w -= 0.5 * w.grad
            w.grad = None
        assert w.tolist() == [0.0, 0.0], step


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda x: x.__setitem__(0, 1), r"leaf that requires grad.*no_grad\(\).*x\.clone\(\)"),
        (lambda x: operator.iadd(x, 1), r"leaf that requires grad"),
        (lambda x: x.zero_(), r"leaf that requires grad"),
        (lambda x: x[0].zero_(), r"a view of a leaf that requires grad"),
        (lambda x: x.reshape(1, 2).T.copy_(minigrad.ones(1)), r"a view of a leaf that requires grad"),
    ],
)
def test_writes_that_would_leave_the_graph(write: Callable[[Tensor], None], message: str, device: str) -> None:
    x = minigrad.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=message):
        write(x)
    assert x.tolist() == [1.0, 1.0]
    with minigrad.no_grad():
        write(x)  # on purpose


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (lambda x: x.__setitem__(0, minigrad.ones(2)), ValueError, r"shape \(2,\) does not fit \(3,\)|2 meets 3"),
        (lambda x: x.__setitem__(0, [1.0]), TypeError, r"operand must be .* got list"),
        (lambda x: x.__setitem__(5, 1), IndexError, r"index 5 is out of bounds"),
        (lambda x: operator.iadd(x, minigrad.ones(4, 2, 3)), ValueError, r"\(4, 2, 3\) does not fit \(2, 3\)"),
        (lambda x: operator.iadd(x.long(), 1.5), TypeError, r"result is float32.*this int64 tensor; write x = x \+ y"),
        (lambda x: operator.itruediv(x.long(), 2), TypeError, r"result is float32"),
        (lambda x: operator.iadd(x.bool(), 1), TypeError, r"result is int64.*this bool tensor"),
        (lambda x: x.long().fill_(float("nan")), ValueError, r"nan does not fit dtype int64"),
        (lambda x: x.to("uint8").fill_(256), ValueError, r"256 does not fit dtype uint8"),
        (lambda x: setattr(x, "data", minigrad.ones(3)), ValueError, r"\.data is float32 \(2, 3\).*float32 \(3,\)"),
        (lambda x: setattr(x, "data", x.double()), ValueError, r"\.data is float32 .* cannot replace it by float64"),
        (lambda x: setattr(x, "data", np.ones((2, 3))), TypeError, r"\.data must be a tensor, got ndarray"),
        (lambda x: setattr(x, "grad", minigrad.ones(3)), ValueError, r"\.grad is float32 \(2, 3\).*float32 \(3,\)"),
    ],
)
def test_writes_that_do_not_fit(
    write: Callable[[Tensor], None], error: type[Exception], message: str, device: str
) -> None:
    x = minigrad.ones(2, 3)
    with pytest.raises(error, match=message):
        write(x)
    assert x.tolist() == [[1.0] * 3] * 2


def test_repeated_elements_cannot_be_written(device: str) -> None:
    row = minigrad.ones(3)
    with pytest.raises(RuntimeError, match=r"expanded.*x\.clone\(\)"):
        row.expand(2, 3)[0] = 7
    assert row.tolist() == [1.0] * 3


def test_values_from_another_device_are_not_fetched_silently(device: str) -> None:
    x, value = minigrad.zeros(2), minigrad.ones(2, device="cpu" if device == "reference" else "reference")
    with pytest.raises(TypeError, match=rf"x is on {device}, value on {value.device}.*value\.to\('{device}'\)"):
        x[...] = value


# --- recording -----------------------------------------------------------------------------------------------


def written(x: Tensor, v: Tensor) -> Tensor:
    y = x * 2
    y[1:, 0] = v
    y.T[2, :2] *= v * x[0, :2]
    y[[0, 2], [1, 1]] = y[0, 1:].clone() * v
    y += x[1]
    return y


@pytest.mark.parametrize("check", [minigrad.gradcheck, minigrad.gradgradcheck])
def test_derivatives_of_writes(check: Callable, device: str) -> None:
    x, v = (minigrad.randn(*shape, dtype="float64", requires_grad=True) for shape in ((3, 3), (2,)))
    assert check(written, [x, v])


def test_of_several_values_for_one_place_the_last_counts(device: str) -> None:
    v = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = minigrad.zeros(2)
    y[[0, 0, 1]] = v
    y.sum().backward()
    assert y.tolist() == [2.0, 3.0]
    assert v.grad.tolist() == [0.0, 1.0, 1.0]


def test_a_long_history_of_writes(device: str) -> None:
    w = minigrad.ones(1, requires_grad=True)
    total, part = minigrad.zeros(3), w * 1
    for _ in range(3000):
        total[1:2] += part
    total.sum().backward()
    assert w.grad.item() == 3000.0


def test_old_histories_are_freed_while_a_view_lives(device: str) -> None:
    x = minigrad.zeros(4)
    view, makers = x[1:], []
    for _ in range(3):
        x.zero_()
        w = minigrad.ones(4, requires_grad=True)
        x = x.detach()
        x += w
        makers.append(weakref.ref(x.creator))
        view = x[1:]
        view *= 2
    assert view.tolist() == [2.0] * 3
    gc.collect()
    assert [maker() is None for maker in makers] == [True, True, False]


def test_a_view_whose_base_has_other_memory_now_is_not_written(device: str) -> None:
    w = minigrad.ones(2, requires_grad=True)
    x = minigrad.zeros(2)
    view = x[:1]
    x.data = minigrad.ones(2)
    with pytest.raises(RuntimeError, match=r"\.data = .* take the view again"):
        view += w[:1]
    view += 1  # nothing is recorded, so nothing can go wrong
    assert (x.tolist(), view.tolist()) == ([1.0, 1.0], [1.0])


def test_a_write_that_fails_leaves_no_trace(device: str) -> None:
    w = minigrad.ones(3, requires_grad=True)
    x = (w * 2).expand(2, 3)
    with pytest.raises(RuntimeError, match="expanded"):
        x *= w
    y = w * 2
    with pytest.raises(ValueError, match="3 meets 2"):
        y[:2] = w
    assert type(y.creator).__name__ == "Mul"
    (x.sum() + y.sum()).backward()
    assert w.grad.tolist() == [6.0] * 3


def test_a_view_taken_under_no_grad_has_no_history(device: str) -> None:
    w, x = minigrad.ones(2, requires_grad=True), minigrad.zeros(2)
    with minigrad.no_grad():
        view = x[:1]
    x += w
    assert (view.item(), view.requires_grad) == (1.0, False)


def test_a_view_finds_its_history_wherever_it_is_looked_at(device: str) -> None:
    w, x = minigrad.ones(2, requires_grad=True), minigrad.zeros(2)
    view = x[:1]
    x += w
    with minigrad.no_grad():
        assert view.requires_grad
    view.sum().backward()
    assert w.grad.tolist() == [1.0, 0.0]


def test_a_view_with_other_memory_is_none_any_more(device: str) -> None:
    w, x = minigrad.ones(2, requires_grad=True), minigrad.zeros(2)
    view = x[:]
    view.data = minigrad.ones(2)
    view += w
    assert (view.tolist(), view.requires_grad) == ([2.0, 2.0], True)
    assert (x.tolist(), x.requires_grad) == ([0.0, 0.0], False)
