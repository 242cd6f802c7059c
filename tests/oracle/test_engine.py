"""What backward(), grad() and their like do besides computing: accumulate, free, call hooks, leave things alone.

Each scenario returns what can be observed; it must be the same with PyTorch.
"""

import numpy as np
import pytest

from .replay import ERRORS, replayed

pytestmark = pytest.mark.oracle


# --- accumulation --------------------------------------------------------------------------------------------


@replayed
def test_gradients_of_several_backward_calls_add_up(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    grads = [x.grad]
    for factor in (1.0, 10.0, 100.0):
        (x * x * factor).sum().backward()
        grads.append(x.grad.clone())
    return grads


@replayed
def test_grad_stays_the_same_object_and_is_written_in_place(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    return [x.grad is first, first]


@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
@replayed
def test_with_create_graph_grad_becomes_a_new_object(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    first = x.grad
    y = (x * x).sum()
    y.backward(gradient=m.tensor(2.0, requires_grad=True), create_graph=True)
    result = [x.grad is first, first, x.grad, x.grad.requires_grad]
    x.grad = None  # or the graph would hold itself
    return result


@replayed
def test_grads_of_two_leaves_never_share_memory(m):
    x, y = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([3.0, 4.0], requires_grad=True)
    dz = m.tensor([1.0, 1.0])
    (x + y).backward(dz)
    x.grad.zero_()
    return [x.grad, y.grad, dz]


@replayed
def test_grad_can_be_reset_zeroed_and_replaced(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    (3 * x).sum().backward()
    x.grad = None
    (3 * x).sum().backward()
    seen = [x.grad.clone()]
    x.grad.zero_()
    (3 * x).sum().backward()
    seen.append(x.grad.clone())
    x.grad = m.tensor([10.0, 20.0])
    (3 * x).sum().backward()
    return [*seen, x.grad]


@replayed
def test_grad_of_a_leaf_that_is_the_output(m):
    x = m.tensor(3.0, requires_grad=True)
    x.backward()
    x.backward()
    (dx,) = m.autograd.grad(x, x)
    return [x.grad, dx]


@replayed
def test_only_leaves_that_require_grad_get_one(m):
    x, c = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([3.0, 4.0])
    y = x * c
    y.sum().backward()
    return [x.grad, c.grad, x.is_leaf, c.is_leaf, y.is_leaf, y.detach().is_leaf, y.requires_grad]


@replayed
def test_gradients_have_the_dtype_of_their_tensor(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    w = m.tensor([1.0, 2.0], dtype=m.float64, requires_grad=True)
    (x.double() * w).sum().backward()
    return [x.grad, w.grad]


@replayed
def test_backward_from_a_non_scalar_weighs_its_elements(m):
    x = m.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    (x * x).backward(gradient=m.tensor([[1.0, 0.0], [-1.0, 2.0]]))
    return x.grad


@replayed
def test_a_tensor_of_one_element_needs_no_gradient(m):
    x = m.tensor([[2.0]], requires_grad=True)
    (x * x).backward()
    return x.grad


# --- freeing -------------------------------------------------------------------------------------------------


@replayed
def test_a_second_backward_raises_and_leaves_grad_alone(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError):
        y.backward()
    return x.grad


@replayed
def test_a_second_backward_through_a_shared_part_raises(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    shared = x.exp()
    (shared * 2).sum().backward()
    with pytest.raises(RuntimeError):
        (shared * 3).sum().backward()
    return x.grad


@replayed
def test_retain_graph_allows_a_second_backward(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=False)
    with pytest.raises(RuntimeError):
        y.backward()
    return x.grad


@replayed
def test_create_graph_retains_unless_told_otherwise(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = (x**3).sum()
    m.autograd.grad(y, x, create_graph=True)
    m.autograd.grad(y, x, retain_graph=False, create_graph=True)
    with pytest.raises(RuntimeError):
        m.autograd.grad(y, x)
    return x.grad


@replayed
def test_grad_frees_as_backward_does(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    first = m.autograd.grad(y, x)
    with pytest.raises(RuntimeError):
        y.backward()
    return [first, x.grad]


# --- grad ----------------------------------------------------------------------------------------------------


@replayed
def test_grad_touches_no_grad_and_gives_a_tuple(m):
    x, w = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([3.0, 4.0], requires_grad=True)
    y = (x * w).sum()
    return [m.autograd.grad(y, [w, x]), x.grad, w.grad]


@replayed
def test_grad_of_several_outputs_adds_them_up(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    outputs = [x.sum(), x * x]
    return m.autograd.grad(outputs, x, grad_outputs=[None, m.tensor([1.0, 10.0])])


@replayed
def test_grad_of_an_inner_tensor_and_of_one_asked_for_twice(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    y = (h * h).sum()
    return m.autograd.grad(y, (h, x, h))


@replayed
def test_grad_of_unused_inputs(m):
    x, unused = m.tensor([1.0], requires_grad=True), m.tensor([1.0], requires_grad=True)
    y = (x * x).sum()
    with pytest.raises(RuntimeError):
        m.autograd.grad(y, [x, unused], retain_graph=True)
    return m.autograd.grad(y, [unused, x], allow_unused=True)


@replayed
def test_derivatives_of_third_order(m):
    x = m.tensor([0.5, -2.0], dtype=m.float64, requires_grad=True)
    derivative, seen = (x**4 + x.exp()).sum(), []
    for _ in range(3):
        (gradient,) = m.autograd.grad(derivative, x, create_graph=True)
        derivative = gradient.sum()
        seen.append(gradient)
    return seen


@replayed
def test_a_gradient_penalty_reaches_the_parameters(m):
    x = m.tensor([[1.0, -2.0]], requires_grad=True)
    w = m.tensor([[0.5], [0.25]], requires_grad=True)
    y = (x @ w).tanh().sum()
    (dx,) = m.autograd.grad(y, x, create_graph=True)
    ((dx * dx).sum() - 1).abs().backward()
    return [x.grad, w.grad, dx.requires_grad]


@replayed
def test_without_create_graph_gradients_have_no_graph(m):
    x = m.tensor([1.0], requires_grad=True)
    (dx,) = m.autograd.grad((x * x).sum(), x)
    with pytest.raises(RuntimeError):
        dx.sum().backward()
    return [dx.requires_grad, dx.is_leaf]


@replayed
def test_the_number_of_threads(m):
    before = m.get_num_threads()
    m.set_num_threads(1)
    seen = m.get_num_threads()
    m.set_num_threads(before)
    return [seen, m.get_num_threads() == before]


# --- hooks and retained gradients ----------------------------------------------------------------------------


@replayed
def test_hooks_replace_gradients_in_the_order_of_their_registration(m):
    x, seen = m.tensor([1.0, 2.0], requires_grad=True), []
    h = x * 2
    h.register_hook(lambda dy: seen.append(dy.clone()))
    h.register_hook(lambda dy: dy * 10)
    h.register_hook(lambda dy: seen.append(dy.clone()))
    h.register_hook(lambda dy: dy + 1)
    (h * 3).sum().backward()
    return [seen, x.grad]


@replayed
def test_hooks_on_leaves_see_one_backward_and_change_what_is_added(m):
    x, seen = m.tensor([1.0, 2.0], requires_grad=True), []
    x.register_hook(lambda dx: seen.append(dx.clone()))
    x.register_hook(lambda dx: dx * 100)
    (x * x + x).sum().backward()
    (x * 2).sum().backward()
    return [seen, x.grad]


@replayed
def test_removed_hooks_are_not_called(m):
    x = m.tensor([1.0], requires_grad=True)
    first, second = x.register_hook(lambda dx: dx * 2), x.register_hook(lambda dx: dx * 10)
    first.remove()
    first.remove()
    x.sum().backward()
    with x.register_hook(lambda dx: dx * 100):
        x.sum().backward()
    second.remove()
    x.sum().backward()
    return x.grad


@replayed
def test_hooks_change_what_grad_returns(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    h = x * 2
    x.register_hook(lambda dx: dx * 10)
    h.register_hook(lambda dh: dh + 1)
    y = (h * h).sum()
    return [m.autograd.grad(y, x, retain_graph=True), m.autograd.grad(y, h)]


@replayed
def test_hooks_are_called_on_the_way_to_other_inputs(m):
    x, seen = m.tensor([1.0, 2.0], requires_grad=True), []
    h = x * 2
    h.register_hook(lambda dh: seen.append(dh.clone()))
    return [m.autograd.grad((h * 5).sum(), x), seen]


@replayed
def test_a_hook_on_an_inner_tensor_hears_nothing_if_no_gradient_comes(m):
    x, seen = m.tensor([1.0, 2.0], requires_grad=True), []
    h, g = x * 2, x * 3
    h.register_hook(seen.append)
    g.sum().backward()
    return [seen, x.grad]


@replayed
def test_retained_gradients_of_inner_tensors(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    h = x * 2
    h.retain_grad()
    h.retain_grad()
    y = (h * h).sum()
    y.backward(retain_graph=True)
    first = h.grad.clone()
    y.backward()
    return [first, h.grad, x.grad, h.is_leaf]


@replayed
def test_retained_gradients_come_after_hooks(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    h = x * 2
    h.retain_grad()
    h.register_hook(lambda dh: dh * 10)
    h.sum().backward()
    return [h.grad, x.grad]


@replayed
def test_retained_gradient_of_the_output_itself(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.retain_grad()
    y.backward()
    return y.grad


@replayed
def test_retain_grad_on_a_leaf_changes_nothing(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    x.retain_grad()
    (x * x).sum().backward()
    return x.grad


@replayed
def test_grad_sets_retained_gradients_on_its_way(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    h = x * 2
    h.retain_grad()
    return [m.autograd.grad((h * h).sum(), x), h.grad, x.grad]


@replayed
def test_hooks_and_retain_grad_need_a_tensor_that_requires_grad(m):
    c = m.tensor([1.0])
    with pytest.raises(RuntimeError):
        c.register_hook(lambda dc: dc)
    with pytest.raises(RuntimeError):
        c.retain_grad()


# --- what is recorded ----------------------------------------------------------------------------------------


@replayed
def test_no_grad_and_enable_grad_nest(m):
    x = m.tensor([1.0], requires_grad=True)
    seen = [m.is_grad_enabled(), (x * 2).requires_grad]
    with m.no_grad():
        seen += [m.is_grad_enabled(), (x * 2).requires_grad]
        with m.enable_grad():
            seen += [m.is_grad_enabled(), (x * 2).requires_grad]
            with m.no_grad():
                seen += [m.is_grad_enabled(), (x * 2).is_leaf]
            seen += [m.is_grad_enabled()]
        seen += [m.is_grad_enabled()]
    return [*seen, m.is_grad_enabled()]


@replayed
def test_recording_is_on_again_after_an_error(m):
    with pytest.raises(ZeroDivisionError), m.no_grad():
        raise ZeroDivisionError
    return m.is_grad_enabled()


@replayed
def test_no_grad_and_enable_grad_as_decorators(m):
    x = m.tensor([1.0], requires_grad=True)

    @m.no_grad()
    def silent(factor):
        """Doubles."""
        return [x * factor, recorded(factor), x * factor]

    @m.enable_grad()
    def recorded(factor):
        return x * factor

    return [silent(2), silent(factor=3), silent.__name__, silent.__doc__, m.is_grad_enabled()]


@replayed
def test_the_same_without_parentheses(m):
    x = m.tensor([1.0], requires_grad=True)

    def doubled():
        """Doubles."""
        return x * 2

    silent, recorded, inferred = m.no_grad(doubled), m.enable_grad(doubled), m.inference_mode(doubled)
    with m.no_grad():
        assert recorded().requires_grad
    return silent(), inferred().requires_grad, recorded(), silent.__name__, silent.__doc__, m.is_grad_enabled()


@replayed
def test_what_was_made_under_no_grad_is_a_constant(m):
    x = m.tensor([2.0], requires_grad=True)
    with m.no_grad():
        c = x * x
    (c * x).sum().backward()
    return [x.grad, c.requires_grad, c.is_leaf]


@replayed
def test_leaves_made_and_gradients_computed_under_no_grad(m):
    with m.no_grad():
        x = m.tensor([2.0], requires_grad=True)
        w = m.nn.Linear(1, 1).weight
    y = (x * x).sum()
    with m.no_grad():
        y.backward()
    return [x.grad, w.requires_grad]


@replayed
def test_detach_cuts_the_graph_and_shares_the_memory(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    d = y.detach()
    d[0] = 10.0
    (x * d).sum().backward()
    return [y, d, d.requires_grad, d.is_leaf, x.grad]


@replayed
def test_data_shares_the_memory(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    x.data[0] = 10.0
    x.data -= 1.0
    seen = [x.clone(), x.requires_grad, x.data.requires_grad]
    x.data = m.tensor([5.0, 6.0])
    (x * x).sum().backward()
    return [*seen, x, x.grad]


@replayed
def test_requires_grad_can_be_switched_on_leaves(m):
    x = m.tensor([1.0, 2.0])
    seen = [x.requires_grad, x.requires_grad_() is x, x.requires_grad]
    y = (x * x).sum()
    x.requires_grad_(False)
    seen += [x.requires_grad, (x * 2).requires_grad]
    y.backward()  # it was recorded before
    x.requires_grad_(requires_grad=True)
    return [*seen, x.grad, x.requires_grad]


@replayed
def test_requires_grad_as_an_attribute(m):
    x = m.tensor([1.0, 2.0])
    x.requires_grad = True
    (x * x).sum().backward()
    y = x * 2
    with pytest.raises(RuntimeError):
        y.requires_grad = False
    with pytest.raises(ERRORS):
        m.tensor([1]).requires_grad = True
    return [x.grad, y.requires_grad]


@replayed
def test_requires_grad_on_the_results_of_operations(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    with pytest.raises(RuntimeError):
        y.requires_grad_(False)
    with pytest.raises(ERRORS):
        m.tensor([1, 2]).requires_grad_()
    return [y.requires_grad_().requires_grad, m.tensor([1, 2]).requires_grad_(False).requires_grad]


@replayed
def test_integers_leave_the_graph(m):
    x = m.tensor([1.5, 2.5], requires_grad=True)
    return [x.long(), (x > 2).requires_grad, x.argmax().requires_grad, x.max(0).indices.requires_grad, x.double()]


@replayed
def test_the_condition_of_where_gets_no_gradient_and_indices_neither(m):
    x, k = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([1, 1])
    (m.where(x > 1.5, x, -x) + x[k]).sum().backward()
    return [x.grad, k.grad]


@replayed
def test_gradients_of_views_reach_the_whole(m):
    x = m.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    row, column, turned = x[0], x[:, 1], x.T
    (row * row).sum().backward()
    (column.sum() * turned[2].sum()).backward()
    return x.grad


# --- writing in place ----------------------------------------------------------------------------------------


@replayed
def test_parameters_are_updated_under_no_grad(m):
    w = m.tensor([1.0, 2.0], requires_grad=True)
    with m.no_grad():
        w += 1
        w -= 0.5
        w *= 2
        w /= 4
        w **= 2
        w[0] = 7
    (w * w).sum().backward()
    return [w, w.grad, w.is_leaf]


@replayed
def test_writing_a_constant_tensor(m):
    x, y = m.tensor([[1.0, 2.0], [3.0, 4.0]]), m.tensor([True, False])
    same = x
    x += m.tensor([10.0, 20.0])
    x[0, 1] = -1.0
    x[1] = m.tensor([0.5])
    x[:, 0] = x[0]
    y &= m.tensor([True, True])
    y |= m.tensor([False, False])
    filled = [m.zeros(2).fill_(3), m.tensor([1, 2]).fill_(2.9), m.ones(2).zero_(), m.zeros(2, 2).copy_(x[0])]
    return [x, x is same, y, filled]


@replayed
def test_writing_by_index_and_mask(m):
    x = m.arange(12.0).reshape(3, 4)
    x[x > 9] = 0.0
    x[[0, 2], [1, 1]] = m.tensor([-1.0, -2.0])
    x[m.tensor([True, False, False]), 3] = 50
    x[1, ...] = x[2].clone()
    x[..., 2:] = x[..., :2]
    return x


@replayed
def test_a_view_and_the_whole_are_one_memory(m):
    x = m.arange(6.0).reshape(2, 3)
    row, column, turned = x[0], x[:, 1:2], x.T
    x[0, 1] = 10.0
    row[2] = 20.0
    column += 100.0
    turned[0, 1] = -1.0
    x.reshape(6)[3] *= 2.0
    return [x, row, column, turned, x.detach()]


@replayed
def test_overwriting_a_saved_input_raises_in_backward(m):
    x, c = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([3.0, 4.0])
    y = (x * c).sum()
    c += 1
    with pytest.raises(RuntimeError):
        y.backward()
    return x.grad


@replayed
def test_overwriting_a_saved_result_raises_in_backward(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    h = x.exp()
    with m.no_grad():
        h *= 2
    with pytest.raises(RuntimeError):
        h.sum().backward()
    return x.grad


@replayed
def test_overwriting_through_detach_raises_in_backward(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    h = x.exp()
    h.detach().zero_()
    with pytest.raises(RuntimeError):
        h.sum().backward()


@replayed
def test_overwriting_a_parameter_between_forward_and_backward_raises(m):
    w, x = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([1.0, 1.0], requires_grad=True)
    y = (w * x).sum()
    with m.no_grad():
        w -= 0.1
    with pytest.raises(RuntimeError):
        y.backward()


@replayed
def test_overwriting_the_base_of_a_saved_view_raises_in_backward(m):
    x, c = m.tensor([1.0], requires_grad=True), m.tensor([1.0, 2.0])
    y = (x * c.reshape(2, 1)).sum()
    c[0] = 5.0
    with pytest.raises(RuntimeError):
        y.backward()


@replayed
def test_overwriting_what_nobody_saved_is_allowed(m):
    x, c = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([3.0, 4.0])
    h = x * 2
    y = ((h + c) - c).sum()
    c += 1
    with m.no_grad():
        h += 100
    y.backward()
    return [x.grad, h]


@replayed
def test_leaves_that_require_grad_are_not_written_while_recording(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError):
        x += 1
    with pytest.raises(RuntimeError):
        x[0] = 1.0
    with pytest.raises(RuntimeError):
        x.zero_()
    return x


@replayed
def test_clone_has_memory_of_its_own(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x.clone()
    with m.no_grad():
        y += 1
    y.sum().backward()
    return [x, y, x.grad]


@replayed
def test_loops_that_fill_an_array_learn(m):
    """The book's corr2d."""
    X, K = m.arange(12.0).reshape(3, 4), m.tensor([[1.0, -1.0], [0.5, 2.0]], requires_grad=True)
    Y = m.zeros(2, 3)
    for i in range(2):
        for j in range(3):
            Y[i, j] = (X[i : i + 2, j : j + 2] * K).sum()
    (Y * Y).sum().backward()
    return [Y, K.grad]


@replayed
def test_methods_that_write(m):
    w = m.tensor([1.0, 2.0], requires_grad=True)
    x, steps = w * 1, []
    for method in (
        lambda x: x.add_(w),
        lambda x: x.sub_(0.5),
        lambda x: x.mul_(w),
        lambda x: x.div_(w + 1),
        lambda x: x.pow_(2),
    ):
        steps.append(method(x) is x)
        steps.append(x.clone())
    x.add_(other=w)
    x.sub_(other=1.5)
    x.mul_(other=w)
    x.div_(other=2)
    x.pow_(exponent=2)
    x.copy_(x.clone() * w)
    x.sum().backward()
    return [*steps, x, w.grad]


@replayed
def test_integers_are_written_in_place(m):
    x, steps = m.tensor([7, -7, 3, 12]), []
    for method in (
        lambda x: x.floor_divide_(2),
        lambda x: x.remainder_(3),
        lambda x: x.bitwise_left_shift_(3),
        lambda x: x.bitwise_right_shift_(1),
        lambda x: x.bitwise_xor_(5),
        lambda x: x.bitwise_or_(8),
        lambda x: x.bitwise_and_(13),
    ):
        steps.append(method(x) is x)
        steps.append(x.clone())
    x.floor_divide_(other=2)
    x.remainder_(other=5)
    x.bitwise_left_shift_(other=2)
    x.bitwise_right_shift_(other=1)
    x.bitwise_xor_(other=7)
    x.bitwise_or_(other=16)
    x.bitwise_and_(other=29)
    x //= 2
    x %= 13
    x <<= 3
    x >>= 1
    x ^= 6
    x |= 1
    x &= 255
    return [*steps, x]


@replayed
def test_masks_and_bounds_are_written_in_place(m):
    x = m.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = x * 2
    y.clamp_(-3.0, 5.0)
    y.masked_fill_(y < 0, 0.5)
    y.clamp_(min=0.6, max=4.0)
    y.masked_fill_(mask=m.tensor([True, False, False]), value=2.0)
    (y * y).sum().backward()
    return [y, x.grad]


@replayed
def test_a_loss_is_added_up_in_place(m):
    w, loss = m.tensor([1.0, 2.0], requires_grad=True), m.tensor(0.0)
    for k in range(3):
        loss += (w * k).sum()
    loss.backward()
    return [loss, loss.is_leaf, w.grad]


@replayed
def test_what_was_overwritten_gets_no_gradient(m):
    x, v = m.tensor([1.0, 2.0, 3.0], requires_grad=True), m.tensor([10.0, 20.0], requires_grad=True)
    y = x * 2
    y[1:] = v
    y[2] = 7.0
    (y * y).sum().backward()
    return [y, x.grad, v.grad]


@replayed
def test_writing_views_of_views(m):
    x, v = m.arange(24.0).reshape(2, 3, 4).requires_grad_(), m.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    y.transpose(0, 2)[1:3].permute(2, 0, 1)[1, ...][0] = v
    y[0].T[::2, 1] *= v[:2]
    y.view(4, 6)[2][1:4] += v
    (y * y * y).sum().backward()
    return [y, x.grad, v.grad]


@replayed
def test_views_follow_what_is_written(m):
    x = m.ones(2, 3, requires_grad=True)
    y = x * 2
    row, flat, turned = y[0], y.view(6), y.T
    y[:, 1] = x[:, 0] * 5
    row *= x[1]
    seen = [t.requires_grad for t in (y, row, flat, turned)]
    (flat * m.arange(6.0)).sum().backward(retain_graph=True)
    first = x.grad.clone()
    (turned[1] * row[1]).sum().backward()
    return [row, flat, turned, seen, first, x.grad]


@replayed
def test_constants_join_the_graph_when_they_are_written(m):
    w, c = m.tensor([1.0, 2.0], requires_grad=True), m.zeros(2, 2)
    before = c[1]
    c[1] = w * 3
    after = [t.requires_grad for t in (c, before)]
    (before * before).sum().backward()
    return [c, before, after, w.grad]


@replayed
def test_writing_under_no_grad_leaves_the_history(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    view = y[:1]
    with m.no_grad():
        y[0] = 100.0
        view += 1
    (y + view).sum().backward()
    return [y, view, x.grad]


@replayed
def test_retain_grad_stays_with_the_tensor(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    y.retain_grad()
    y *= 2
    (y * y).sum().backward()
    return [y.grad, x.grad]


@replayed
def test_hooks_stay_with_the_value(m):
    x, seen = m.tensor([1.0, 2.0], requires_grad=True), []
    y = x * 3
    y.register_hook(lambda dy: seen.append(dy.clone()))
    y *= 2
    y.sum().backward()
    return [seen, x.grad]


@replayed
def test_writes_have_second_derivatives(m):
    x, v = m.tensor([1.0, 2.0, 3.0], requires_grad=True), m.tensor([0.5, -1.0], requires_grad=True)
    y = x * x * x
    y[:2] *= v
    y[[0, 2]] = y[:2].clone() * v * x[1]
    dx, dv = m.autograd.grad((y * y).sum(), [x, v], create_graph=True)
    return [dx, dv, *m.autograd.grad((dx * dx).sum() + (dv * dv).sum(), [x, v])]


@replayed
def test_views_taken_under_no_grad_are_not_written_while_recording(m):
    w, x = m.tensor([1.0, 2.0], requires_grad=True), m.zeros(2, 2)
    with m.no_grad():
        view = x[0]
        view += 1
    with pytest.raises(RuntimeError):
        view += w
    return [view.detach(), x]


@replayed
def test_writing_by_mask_and_index_is_recorded(m):
    x, v = m.tensor([[1.0, -2.0], [-3.0, 4.0]], requires_grad=True), m.tensor([5.0, 6.0], requires_grad=True)
    y = x * 2
    y[y < 0] = v
    y[[0, 1], [1, 1]] = v * v
    y[m.tensor([True, False])] *= 2
    (y * y).sum().backward()
    return [y, x.grad, v.grad]


@replayed
def test_a_view_that_requires_grad_is_a_leaf(m):
    x = m.zeros(2, 2)
    view = x[0].requires_grad_()
    x[0, 1] = 3.0
    with pytest.raises(RuntimeError):
        view += 1
    (view * view).sum().backward()
    return [view, view.is_leaf, view.grad, x.requires_grad]
