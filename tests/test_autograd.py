"""The engine: recording, the backward walk, accumulation, freeing, hooks, higher derivatives."""

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Function, Tensor


def leaf(*values: float) -> Tensor:
    return minigrad.tensor(list(values), dtype="float64", requires_grad=True)


# --- the chain rule ------------------------------------------------------------------------------------------


def test_a_tensor_used_twice_gets_both_gradients() -> None:
    a = leaf(3.0)
    b = a + a
    c = b + b
    c.backward()
    assert a.grad is not None
    assert a.grad.item() == 4.0


def test_every_function_is_walked_once_however_many_paths_lead_to_it() -> None:
    walked = []

    class Identity(Function):
        def forward(self, x):
            return x.copy()

        def backward(self, dy):
            walked.append(self)
            return dy

    x = leaf(1.0)
    y = Identity()(x)
    for _ in range(60):  # 2^60 paths
        y = y + y
    y.backward()
    assert len(walked) == 1
    assert x.grad.item() == 2.0**60


def test_a_short_path_waits_for_a_long_one() -> None:
    # the walk must not send b's gradient on before the detour over exp has brought its part
    a = leaf(0.5)
    b = a * 2
    c = (b.exp().log() * 3) + b
    c.backward()
    assert a.grad.item() == pytest.approx(8.0, rel=1e-15)


@pytest.mark.parametrize("keep", [True, False])
def test_a_chain_of_100_000_nodes_is_walked_and_freed_without_recursion(keep: bool) -> None:
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = -y
    if keep:
        y.backward()
        assert x.grad.item() == 1.0
    del y  # a chain that was never walked is freed too


def test_gradients_accumulate_over_backward_calls_until_reset() -> None:
    x = leaf(2.0)
    for expected in (4.0, 8.0, 12.0):
        (x * x).backward()
        assert x.grad.item() == expected
    x.grad = None
    (x * x).backward()
    assert x.grad.item() == 4.0


def test_two_leaves_never_share_the_memory_of_a_gradient() -> None:
    x, y = leaf(1.0), leaf(2.0)
    (x + y).backward()  # Add hands the same dz to both
    x.grad.zero_()
    assert y.grad.item() == 1.0


def test_gradient_of_a_broadcast_operand_has_its_shape() -> None:
    x = minigrad.ones(3, 1, requires_grad=True)
    y = minigrad.ones(4, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.tolist() == [[4.0]] * 3
    assert y.grad.tolist() == [3.0] * 4


def test_backward_weighs_the_elements_of_a_non_scalar() -> None:
    x = leaf(1.0, 2.0, 3.0)
    (x * x).backward(minigrad.tensor([1.0, 10.0, 100.0], dtype="float64"))
    assert x.grad.tolist() == [2.0, 40.0, 600.0]


# --- higher derivatives ----------------------------------------------------------------------------------------


def test_derivatives_of_any_order() -> None:
    x = leaf(2.0)
    y = x**5
    expected = 32.0
    for order in range(1, 8):
        (y,) = minigrad.grad(y, x, create_graph=True, allow_unused=True)
        if order <= 5:
            expected *= (6 - order) / 2.0
            assert y.item() == pytest.approx(expected, rel=1e-14)
        else:
            assert y is None or y.item() == 0.0
            break


def test_tanh_fourth_derivative_against_its_formula() -> None:
    x = leaf(0.3, -1.2)
    y = x.tanh()
    for _ in range(4):
        (y,) = minigrad.grad(y.sum(), x, create_graph=True)
    t = np.tanh(np.array([0.3, -1.2]))
    np.testing.assert_allclose(y.detach().numpy(), (1 - t**2) * (16 * t - 24 * t**3), rtol=1e-12)


def test_a_gradient_penalty_trains_through_the_gradient() -> None:
    x, w = leaf(1.5), leaf(0.7)
    (dx,) = minigrad.grad((w * x**3).sum(), x, create_graph=True)  # 3 w x^2
    (dx**2).sum().backward()  # d/dw (3 w x^2)^2 = 18 w x^4
    assert w.grad.item() == pytest.approx(18 * 0.7 * 1.5**4, rel=1e-14)
    assert x.grad.item() == pytest.approx(36 * 0.7**2 * 1.5**3, rel=1e-14)


def test_without_create_graph_gradients_have_no_graph() -> None:
    x = leaf(1.0)
    (dx,) = minigrad.grad(x * x, x)
    assert not dx.requires_grad
    (x * x).backward()
    assert not x.grad.requires_grad


def test_backward_with_create_graph_leaves_a_differentiable_gradient() -> None:
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    assert x.grad.item() == 18.0


# --- grad() ----------------------------------------------------------------------------------------------------


def test_grad_touches_no_grad_attribute_and_returns_a_tuple() -> None:
    x, y = leaf(2.0), leaf(5.0)
    gradients = minigrad.grad(x * y, [x, y])
    assert isinstance(gradients, tuple)
    assert [gradient.item() for gradient in gradients] == [5.0, 2.0]
    assert x.grad is None
    assert y.grad is None


def test_grad_of_several_outputs_adds_up() -> None:
    x = leaf(2.0)
    (dx,) = minigrad.grad([x * 3, x * x], x, [minigrad.tensor([10.0], dtype="float64"), None])
    assert dx.item() == 34.0


def test_grad_with_respect_to_an_inner_tensor_and_to_the_output_itself() -> None:
    x = leaf(2.0)
    y = x * x
    z = y * 3
    dy, dz = minigrad.grad(z, [y, z])
    assert (dy.item(), dz.item()) == (3.0, 1.0)


def test_grad_of_an_unused_input() -> None:
    x, unused = leaf(2.0), leaf(1.0)
    with pytest.raises(RuntimeError, match=r"do not depend on inputs\[1\].*allow_unused"):
        minigrad.grad(x * 2, [x, unused])
    assert minigrad.grad(x * 2, [x, unused], allow_unused=True)[1] is None


def test_grad_of_what_is_no_tensor() -> None:
    x = leaf(1.0)
    with pytest.raises(TypeError, match="inputs must be a tensor or a sequence of tensors, got float"):
        minigrad.grad(x * 2, [1.0])
    with pytest.raises(TypeError, match=r"outputs must be a tensor.*, got str"):
        minigrad.grad("y", x)
    with pytest.raises(TypeError, match="hook must be a function of the gradient, got int"):
        x.register_hook(3)


def test_grad_computes_only_what_leads_to_the_inputs() -> None:
    calls = []

    class Watched(Function):
        saves_inputs = "partners"

        def forward(self, x, y):
            return x * y

        def backward(self, dz):
            calls.append(self.needs_grad)
            x, y = self.inputs
            return dz * y if self.needs_grad[0] else None, dz * x if self.needs_grad[1] else None

    x, w = leaf(2.0), leaf(3.0)
    z = Watched()(x, w)
    assert minigrad.grad(z, w, retain_graph=True)[0].item() == 2.0
    assert minigrad.grad(z, x, retain_graph=True)[0].item() == 3.0
    z.backward()
    assert calls == [(False, True), (True, False), (True, True)]


def test_an_input_that_needs_no_gradient_is_pruned() -> None:
    x, w = minigrad.tensor([2.0]), minigrad.tensor([3.0], requires_grad=True)
    z = x * w
    assert z.creator.inputs == [x, None]  # only the factor of w is kept
    z.backward()
    assert x.grad is None
    assert w.grad.item() == 2.0


def test_a_quotient_keeps_its_numerator_only_for_the_gradient_of_the_denominator() -> None:
    x, y = leaf(6.0), minigrad.tensor(2.0)
    assert (x / y).creator.inputs == [None, y]
    assert (y / x).creator.inputs == [y, x]
    assert (x % y).creator.inputs == [None, None]
    assert (y % x).creator.inputs == [y, x]


# --- freeing ---------------------------------------------------------------------------------------------------


def test_a_second_backward_raises_and_says_why() -> None:
    x = leaf(2.0)
    y = (x * x).exp()
    y.backward()
    with pytest.raises(RuntimeError, match=r"a second time.*retain_graph=True"):
        y.backward()
    assert x.grad.item() == pytest.approx(4 * np.exp(4.0))  # and nothing was added


def test_a_second_backward_raises_also_where_nothing_had_been_saved() -> None:
    x = leaf(2.0)
    y = x + x
    y.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_a_shared_part_that_was_freed_raises() -> None:
    x = leaf(2.0)
    shared = x.exp()
    first, second = shared * 2, shared * 3
    first.backward()
    with pytest.raises(RuntimeError, match="Exp a second time"):
        second.backward()
    assert x.grad.item() == pytest.approx(2 * np.exp(2.0))


def test_retain_graph_allows_a_second_backward() -> None:
    x = leaf(2.0)
    y = x**3
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 24.0


def test_saved_arrays_are_freed_as_the_walk_passes() -> None:
    x = leaf(2.0)
    inner = x.exp()
    saved = weakref.ref(inner.creator._output[0])
    outer = inner * 2
    assert saved() is not None
    alive = []
    x.register_hook(lambda gradient: alive.append(saved() is not None))
    outer.backward()
    assert alive == [False]


def test_graphs_have_no_reference_cycles() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf(2.0)
        y = (x.exp() * x.tanh() + x.sigmoid()).sum()
        makers = [weakref.ref(y.creator), weakref.ref(y)]
        del y
        assert [maker() for maker in makers] == [None, None]
        y = (x.exp().relu() * x).sum()
        y.retain_grad()
        makers = [weakref.ref(y.creator), weakref.ref(y)]
        y.backward()
        del y
        assert [maker() for maker in makers] == [None, None]
    finally:
        gc.enable()


def test_an_error_on_the_way_leaves_every_grad_as_it_was() -> None:
    class Broken(Function):
        def forward(self, x):
            return x.copy()

        def backward(self, dy):
            raise ZeroDivisionError("on purpose")

    x, y = leaf(1.0), leaf(2.0)
    (x * 2).backward()
    with pytest.raises(ZeroDivisionError):
        (Broken()(x) + y).backward()
    assert x.grad.item() == 2.0
    assert y.grad is None


def test_a_leaf_that_moved_since_the_forward_pass_is_refused_before_anything_is_written() -> None:
    layer = minigrad.nn.Linear(2, 1)
    loss = layer(minigrad.ones(1, 2)).sum()
    layer.weight.grad = minigrad.ones(1, 2)
    bias = layer.bias
    moved = bias.detach().double()
    bias.array, bias.version = moved.array, moved.version  # what Module.to does
    with pytest.raises(RuntimeError, match="used as float32 on cpu and has become float64 on cpu"):
        loss.backward()
    assert layer.weight.grad.tolist() == [[1.0, 1.0]]


# --- modes -----------------------------------------------------------------------------------------------------


def test_no_grad_and_enable_grad_nest_and_restore() -> None:
    x = leaf(1.0)
    assert minigrad.is_grad_enabled()
    with minigrad.no_grad():
        assert not (x * 2).requires_grad
        with minigrad.enable_grad():
            assert (x * 2).requires_grad
        assert not minigrad.is_grad_enabled()
    with pytest.raises(KeyError), minigrad.no_grad():
        raise KeyError
    assert minigrad.is_grad_enabled()


def test_no_grad_as_a_decorator_and_reentered() -> None:
    off = minigrad.no_grad()

    @off
    def recorded(depth: int) -> bool:
        return minigrad.is_grad_enabled() if depth == 0 else recorded(depth - 1)

    assert not recorded(3)
    assert minigrad.is_grad_enabled()


def test_the_mode_belongs_to_its_thread() -> None:
    seen = []
    with minigrad.no_grad():
        thread = threading.Thread(target=lambda: seen.append(minigrad.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_add_their_gradients_to_shared_leaves() -> None:
    x = leaf(0.0)

    def work() -> None:
        for _ in range(200):
            (x * 1.0).backward()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad.item() == 1600.0


def test_detach_cuts_the_graph() -> None:
    x = leaf(3.0)
    (x.detach() * x).backward()
    assert x.grad.item() == 3.0


# --- hooks and retain_grad ---------------------------------------------------------------------------------------


def test_hooks_see_and_replace_the_complete_gradient() -> None:
    x = leaf(1.0)
    y = x * 2
    seen = []
    y.register_hook(lambda gradient: seen.append(gradient.item()))
    y.register_hook(lambda gradient: gradient * 10)
    x.register_hook(lambda gradient: gradient + 1)
    (y * 3 + y * 4).backward()
    assert seen == [7.0]
    assert x.grad.item() == 141.0


def test_a_hook_can_be_removed() -> None:
    x = leaf(1.0)
    handle = x.register_hook(lambda gradient: gradient * 100)
    with x.register_hook(lambda gradient: gradient * 10):
        handle.remove()
        handle.remove()
        (x * 1).backward()
    (x * 1).backward()
    assert x.grad.item() == 11.0


def test_a_hook_that_changes_the_shape_is_refused() -> None:
    x = leaf(1.0, 2.0)
    x.register_hook(lambda gradient: gradient.sum())
    with pytest.raises(RuntimeError, match=r"hook returned shape \(\)"):
        (x * 2).sum().backward()


def test_retain_grad_keeps_the_gradient_of_an_inner_tensor() -> None:
    x = leaf(2.0)
    y = x * x
    y.retain_grad()
    z = y * 3
    z.backward()
    assert y.grad.item() == 3.0
    assert z.grad is None


def test_retain_grad_on_a_tensor_that_is_gone_is_harmless() -> None:
    x = leaf(2.0)
    y = x * x
    y.retain_grad()
    z = y * 3
    del y
    z.backward()
    assert x.grad.item() == 12.0


# --- Functions written by users ----------------------------------------------------------------------------------


class Cube(Function):
    saves_inputs = "all"

    def forward(self, x):
        return self.device.mul(x, self.device.mul(x, x))

    def backward(self, dy):
        (x,) = self.inputs
        return dy * 3 * x * x


def test_a_function_of_ones_own(device: str) -> None:
    x = minigrad.tensor([2.0, -1.0], dtype="float64", requires_grad=True)
    y = Cube()(x)
    assert y.tolist() == [8.0, -1.0]
    assert minigrad.gradcheck(Cube(), x)
    assert minigrad.gradgradcheck(lambda t: Cube()(t), x)


def test_a_function_object_may_be_called_again(device: str) -> None:
    cube, x, y = Cube(), leaf(1.0, 2.0), leaf(3.0)
    z = cube(x)
    cube(y)
    z.sum().backward()
    assert x.grad.tolist() == [3.0, 12.0]
    assert y.grad is None


def test_a_function_that_returns_its_input_returns_a_copy(device: str) -> None:
    class Reversed(Function):
        def forward(self, x):
            return x

        def backward(self, dy):
            return -dy

    x = leaf(1.0, 2.0)
    y = Reversed()(x)
    y *= 2
    assert x.tolist() == [1.0, 2.0]
    assert minigrad.grad((x * y).sum(), x)[0].tolist() == [0.0, 0.0]


def test_a_gradient_that_is_no_tensor_is_refused() -> None:
    class Wrong(Cube):
        def backward(self, dy):
            return dy.numpy()

    with pytest.raises(TypeError, match=r"Wrong.backward returned ndarray for input 0, which is no tensor"):
        Wrong()(leaf(1.0)).backward()


def test_a_gradient_of_the_wrong_shape_is_refused() -> None:
    class Wrong(Function):
        def forward(self, x):
            return x.sum()

        def backward(self, dy):
            return dy

    with pytest.raises(RuntimeError, match=r"Wrong.backward .* of shape \(\) for input 0 of shape \(2,\)"):
        Wrong()(leaf(1.0, 2.0)).backward()


def test_too_few_gradients_are_refused() -> None:
    class Forgetful(Function):
        def forward(self, x, y):
            return x + y

        def backward(self, dz):
            return dz

    with pytest.raises(RuntimeError, match="returned 1 gradients for 2 inputs"):
        Forgetful()(leaf(1.0), leaf(2.0)).backward()


def test_reading_inputs_that_were_not_saved_says_what_to_declare() -> None:
    class Undeclared(Function):
        def forward(self, x):
            return x * x

        def backward(self, dy):
            return dy * 2 * self.inputs[0]

    with pytest.raises(RuntimeError, match="saves_inputs"):
        Undeclared()(leaf(1.0)).backward()


def test_a_function_without_forward_or_backward_says_so() -> None:
    class Empty(Function):
        pass

    with pytest.raises(NotImplementedError, match="Empty must define forward"):
        Empty()(leaf(1.0))

    class Half(Function):
        def forward(self, x):
            return x

    with pytest.raises(NotImplementedError, match="Half must define backward"):
        Half()(leaf(1.0)).backward()


def test_a_gradient_that_is_not_copied_belongs_to_its_leaf_alone(device: str) -> None:
    """Products give their gradients away. What a hook has seen, or another tensor holds, stays as it was."""
    x, w = minigrad.ones(2, 3, device=device), minigrad.ones(3, 2, device=device)
    x.requires_grad_()
    w.requires_grad_()
    seen: list[Any] = []
    w.register_hook(seen.append)
    seed = minigrad.ones(2, 2, device=device)
    for _ in range(2):  # the second time they add up
        (x @ w).backward(seed)
    assert seen[0].tolist() == [[2, 2]] * 3
    x.grad.zero_()
    w.grad.zero_()
    assert seen[0].tolist() == [[2, 2]] * 3
    assert seed.tolist() == [[1, 1]] * 2
    product = x @ w
    product.retain_grad()
    product.backward(seed)
    product.grad.zero_()
    assert seed.tolist() == [[1, 1]] * 2
