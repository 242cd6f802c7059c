"""record(): the tape has every step of the walk, its numbers are the engine's, and it changes nothing."""

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Function, Tensor, nn
from minigrad.nn import functional as F
from minigrad.teaching.tape import Tape


def number(value: float) -> Tensor:
    return minigrad.tensor(value, requires_grad=True)


def doubled_twice() -> Tape:
    a = number(1.0)
    b = a + a
    c = b + b
    with minigrad.record() as tape:
        c.backward()
    return tape


def test_the_tape_of_a_tensor_used_twice(device: str) -> None:
    assert str(doubled_twice()).splitlines() == [
        "  1  c starts with 1",
        "  2  c = Add, dy = 1, gives 1 to its input 0: b has 1",
        "  3  c = Add, dy = 1, gives 1 to its input 1: b has 1 + 1 = 2",
        "  4  b = Add, dy = 2, gives 2 to its input 0: a has 2",
        "  5  b = Add, dy = 2, gives 2 to its input 1: a has 2 + 2 = 4",
        "  6  a.grad is 4",
        "Plain recursion would have left 6 at a, not 4.",
    ]


def test_the_steps_are_plain_data() -> None:
    (walk,) = doubled_twice().walks
    step = walk.steps[2]
    assert (step.source, step.target, step.position, step.stored) == (2, 1, 1, False)
    assert [glimpse.values for glimpse in (step.dy, step.before, step.dx, step.after)] == [1, 1, 1, 2]
    assert [node.title for node in walk.graph.nodes] == ["a", "b = Add", "c = Add"]
    assert walk.calls == 3


def test_recursion_visits_in_the_order_of_the_wrong_proposals() -> None:
    (walk,) = doubled_twice().walks
    assert walk.recursion is not None
    arrivals = [(step.source, step.target, step.after.values) for step in walk.recursion]
    assert arrivals == [(None, 2, 1), (2, 1, 1), (1, 0, 1), (1, 0, 2), (2, 1, 2), (1, 0, 4), (1, 0, 6)]


def test_recursion_is_right_where_nothing_is_used_twice() -> None:
    x = number(2.0)
    with minigrad.record() as tape:
        (x.exp() * 3).backward()
    assert "recursion" not in str(tape)
    (walk,) = tape.walks
    assert walk.recursion is not None
    assert walk.gradients(walk.recursion) == walk.gradients(walk.steps)


def network() -> tuple[nn.Module, Callable[[], Tensor]]:
    model = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4))
    images, classes = minigrad.randn(2, 1, 6, 6), minigrad.tensor([1, 3])
    return model, lambda: F.cross_entropy(model(images), classes)


def test_every_contribution_is_there_and_adds_up(device: str) -> None:
    model, loss = network()
    with minigrad.record() as tape:
        loss().backward()
    (walk,) = tape.walks
    sums: dict[int, Any] = {}
    for step in walk.steps:
        if not step.stored and step.dx.values is not None:
            assert (step.before is None) == (step.target not in sums)
            assert step.before is None or step.before.values == sums[step.target]
            before = 0 if step.before is None else np.array(step.before.values)
            np.testing.assert_allclose(np.array(step.after.values), before + np.array(step.dx.values), rtol=1e-5)
            sums[step.target] = step.after.values
    stored = {walk.graph.nodes[step.target].name: step.after for step in walk.steps if step.stored}
    assert stored.keys() == {f"model.{name}" for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        gradient = parameter.grad.numpy(force=True)
        outline = (float(gradient.min()), float(gradient.mean()), float(gradient.max()))
        assert stored[f"model.{name}"].outline == outline
        if gradient.size <= 256:
            np.testing.assert_array_equal(np.array(stored[f"model.{name}"].values, gradient.dtype), gradient)


def test_operations_are_visited_newest_first_and_each_with_its_whole_gradient() -> None:
    _, loss = network()
    with minigrad.record() as tape:
        loss().backward()
    (walk,) = tape.walks
    sources = [step.source for step in walk.steps if step.source is not None]
    assert sources == sorted(sources, reverse=True)
    last = {step.target: step.after for step in walk.steps if not step.stored}
    assert all(step.dy == last[step.source] for step in walk.steps if step.source is not None)


def test_recording_changes_no_number() -> None:
    model, loss = network()
    loss().backward()
    plain = [parameter.grad.numpy().tobytes() for parameter in model.parameters()]
    model.zero_grad()
    with minigrad.record():
        loss().backward()
    assert [parameter.grad.numpy().tobytes() for parameter in model.parameters()] == plain


def test_a_second_backward_accumulates() -> None:
    x = number(3.0)
    with minigrad.record() as tape:
        for _ in range(2):
            loss = x * x
            loss.backward()
    assert [walk.steps[-1].text(walk.graph) for walk in tape.walks] == ["x.grad is 6", "x.grad is 6 + 6 = 12"]
    assert "backward 2\n" in str(tape)


def test_values_of_a_forward_pass_inside_are_known() -> None:
    x = number(3.0)
    with minigrad.record() as tape:
        (x * 2 + 1).sum().backward()
    values = [str(node.value) for node in tape.walks[0].graph.nodes]
    assert values == ["3", "2", "6", "1", "7", "7"]
    y = x * 2
    z = (y + 1).exp()
    with minigrad.record() as tape:
        z.backward()
    named = {node.title: node.value for node in tape.walks[0].graph.nodes}
    assert str(named["y = Mul"]) == "6"
    assert named["Add"] is None


def test_grad_and_several_outputs_and_higher_derivatives() -> None:
    x = number(2.0)
    with minigrad.record() as tape:
        (slope,) = minigrad.grad(x**3, x, create_graph=True)
        (curvature,) = minigrad.grad(slope, x)
        minigrad.autograd.backward([x.exp(), x * 3], [None, None])
    assert curvature.item() == 12
    assert len(tape.walks) == 3
    assert str(tape.walks[0].steps[-1].after) == "12"
    assert [step.source for step in tape.walks[2].steps].count(None) == 3  # two seeds, and what is stored
    assert tape.walks[2].steps[-1].stored


def hooked_twice() -> Tape:
    """The gradient of -(x * x), with hooks on the product and on x; and one that only looks."""
    x, seen = number(2.0), []
    y = x * x
    y.register_hook(lambda dy: seen.append(dy.item()) or dy * 10)
    y.register_hook(lambda dy: seen.append(dy.item()))
    x.register_hook(lambda dy: dy + 2)
    with minigrad.record() as tape:
        (-y).backward()
    assert seen == [-1, -10]
    assert x.grad.item() == -38
    return tape


def test_hooks_run_once_and_are_seen() -> None:
    assert str(hooked_twice()).splitlines() == [
        "  1  Neg starts with 1",
        "  2  Neg, dy = 1, gives -1 to its input 0: y has -1",
        "  3  a hook of y makes -10 of -1",
        "  4  y = Mul, dy = -10, gives -20 to its input 0: x has -20",
        "  5  y = Mul, dy = -10, gives -20 to its input 1: x has -20 + -20 = -40",
        "  6  a hook of x makes -38 of -40",
        "  7  x.grad is -38",
    ]


def test_a_hook_that_writes_into_its_gradient_is_seen() -> None:
    x = number(2.0)
    x.register_hook(lambda dx: (dx.mul_(3), None)[1])
    with minigrad.record() as tape:
        (x * 5).backward()
    assert str(tape).splitlines()[-2:] == ["  3  a hook of x makes 15 of 5", "  4  x.grad is 15"]


def test_a_hook_is_seen_under_grad_too() -> None:
    x = number(2.0)
    x.register_hook(lambda dx: dx * 3)
    with minigrad.record() as tape:
        minigrad.grad(x * 5, x)
    assert str(tape).splitlines()[-1] == "  3  a hook of x makes 15 of 5"


class Unfinished(Function):
    primitive = "neg"


def test_an_error_leaves_the_steps_before_it() -> None:
    x = number(2.0)
    with minigrad.record() as tape:
        y = Unfinished()(x) * 3
        with pytest.raises(NotImplementedError):
            y.backward()
    assert [str(step.after) for step in tape.walks[0].steps] == ["1", "3"]
    assert "not minigrad's own" in tape.walks[0].obstacle


def test_only_its_own_thread_is_recorded() -> None:
    def other() -> None:
        x = number(5.0)
        (x * x).backward()

    x = number(2.0)
    with minigrad.record() as tape:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        (x * x).backward()
    assert len(tape.walks) == 1
    (x * x).backward()
    assert len(tape.walks) == 1


def test_keeps_no_graph_alive() -> None:
    def recorded() -> tuple[Tape, Any]:
        y = number(2.0).exp()
        with minigrad.record() as tape:
            y.backward()
        return tape, weakref.ref(y)

    tape, result = recorded()
    gc.collect()
    assert result() is None
    assert len(tape.walks) == 1


def test_thousands_of_steps_are_cut_with_a_word() -> None:
    x = y = number(1.0)
    for _ in range(2000):
        y = y * 1.001
    with minigrad.record() as tape:
        y.backward()
    (walk,) = tape.walks
    assert (len(walk.steps), walk.left_out) == (1000, 1002)
    assert walk.recursion is None
    assert str(tape).splitlines()[-1].strip() == "... 1,002 steps more"
    assert x.grad is not None
    assert len(tape.replay().html()) < 1_300_000


def test_recursion_in_numbers_where_it_cannot_be_tried() -> None:
    y = number(1.0)
    for _ in range(100):
        y = y + y
    with minigrad.record() as tape:
        y.backward()
    assert tape.walks[0].recursion is None
    assert tape.walks[0].calls == 2**100 - 1
    assert "about 2^99" in tape.replay().html()


def test_an_empty_tape() -> None:
    with minigrad.record() as tape:
        pass
    assert "no backward()" in str(tape)
    with pytest.raises(RuntimeError, match=r"no backward\(\) was called inside"):
        tape.replay()


def test_the_replay_is_written_where_it_is_told(tmp_path: Path) -> None:
    page = doubled_twice().replay(tmp_path / "backward.html")
    assert (tmp_path / "backward.html").read_text(encoding="utf-8") == page.html()
    assert str(page).startswith("  1  c starts")
    with pytest.raises(TypeError, match="depth"):
        doubled_twice().replay(depth=0.5)


def test_the_text_of_a_backward_is_that_of_the_source() -> None:
    (walk,) = doubled_twice().walks
    assert walk.sources.keys() == {1, 2}
    assert walk.sources[1].endswith("return dz, dz\n")


class Careless(Function):
    """2 x, by a backward that writes into what it is given, counts its calls, and can be called only once."""

    primitive = "neg"
    calls = 0

    def backward(self, dy: Tensor) -> Tensor:
        Careless.calls += 1
        del self.once
        dy *= -1
        return dy


def test_a_backward_of_ones_own_is_called_once_and_gets_what_it_would_get() -> None:
    def gradient() -> list[float]:
        x = minigrad.tensor([1.0, 2.0], requires_grad=True)
        function = Careless()
        function.once = True
        y = function(x)
        y.backward(minigrad.ones(2))
        return x.grad.tolist()

    plain, Careless.calls = gradient(), 0
    with minigrad.record() as tape:
        assert gradient() == plain
    assert Careless.calls == 1
    assert tape.walks[0].recursion is None


def test_a_walk_within_a_walk_is_its_own_affair() -> None:
    x, w = number(3.0), number(2.0)
    y = x * 2

    def hook(gradient: Tensor) -> None:
        with minigrad.enable_grad():
            (w * w).backward()

    y.register_hook(hook)
    with minigrad.record() as tape:
        (y * y).backward()
    assert (x.grad.item(), w.grad.item()) == (24, 4)
    assert len(tape.walks) == 1
    assert tape.walks[0].steps[-1].text(tape.walks[0].graph) == "x.grad is 24"
    assert "hooks" in tape.walks[0].obstacle


def test_leaves_and_retained_gradients_that_have_changed_since() -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    y = (x * 2).sum()
    x.requires_grad_(False)
    x *= 2.0
    with minigrad.record():
        y.backward()
    a, b = minigrad.tensor([1.0, 2.0], requires_grad=True), number(1.0)
    z = a * 3
    part = z[0]
    part.retain_grad()
    loss = part * 1 + b
    z[1] = 5.0
    with minigrad.record():
        loss.backward()
    assert (part.grad.item(), a.grad.tolist(), b.grad.item()) == (1, [3, 0], 1)


def test_a_look_does_not_take_away_a_retained_gradient() -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    part = y[0]
    part.retain_grad()
    loss = part + 1
    y[1] = 5.0
    minigrad.draw(loss)
    loss.backward()
    assert part.grad.item() == 1


def test_what_else_is_in_scope_is_no_matter() -> None:
    class Proxy:
        @property
        def __class__(self) -> type:
            raise RuntimeError("no application is running")

    class Unable(nn.Module):
        def named_parameters(self, *arguments: Any, **options: Any) -> Any:
            raise RuntimeError("not now")

    proxy, unable, lazy = Proxy(), Unable(), nn.LazyLinear(3).weight
    x = number(2.0)
    with minigrad.record() as tape:
        (x * x).backward()
    assert str(tape.walks[0].graph.nodes[0].name) == "x"
    assert (proxy, unable, lazy) is not None


def test_numpys_errors_and_warnings_are_kept_away() -> None:
    x = minigrad.tensor([float("inf"), -float("inf"), 3e38], requires_grad=True)
    with np.errstate(all="raise"), minigrad.record() as tape:
        (x * 1).sum().backward()
    assert "nan" in str(tape.walks[0].graph.nodes[0].value) or tape.walks[0].steps


def test_a_write_in_place_shows_what_it_made() -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    with minigrad.record() as tape:
        y = x * 2
        y[0] = 10.0
        y += 100
        y.sum().backward()
    values = {node.title: str(node.value) for node in tape.walks[0].graph.nodes if node.operation == "Write"}
    assert list(values.values())[-1] == "[110, 104]"
    assert str(tape.walks[0].graph.nodes[1].value) in ("[2, 4]", "2")


def test_recursion_is_not_blamed_for_rounding() -> None:
    x = number(1.0)
    p, q, r = x * 1e8, x * 0.3, x * -1e8
    z = (p + r) + q
    with minigrad.record() as tape:
        z.backward()
    assert "recursion" not in str(tape)


def test_two_functions_of_one_name_have_each_its_text() -> None:
    def of(factor: float) -> type[Function]:
        if factor == 2:

            class Scale(Function):
                primitive = "neg"

                def backward(self, dy: Tensor) -> Tensor:
                    return dy * 2

            return Scale

        class Scale(Function):  # type: ignore[no-redef]
            primitive = "neg"

            def backward(self, dy: Tensor) -> Tensor:
                return dy * 3

        return Scale

    x = number(1.0)
    with minigrad.record() as tape:
        of(3)()(of(2)()(x)).backward()
    assert ["* 2" in text for text in tape.walks[0].sources.values()] == [False, True]


def test_a_captured_step_in_a_recording() -> None:
    w = minigrad.tensor([1.0, 2.0], requires_grad=True)

    def step() -> Tensor:
        w.grad = None
        loss = (w * w).sum()
        loss.backward()
        return loss

    captured = minigrad.capture(step, [w])
    with minigrad.record() as tape:
        for _ in range(3):
            captured()
    assert w.grad.tolist() == [2, 4]
    assert len(tape.walks) >= 2


def test_of_many_walks_the_first_hundred_are_kept() -> None:
    x = number(1.0)
    with minigrad.record() as tape:
        for _ in range(103):
            (x * x).backward()
    assert (len(tape.walks), tape.left_out) == (100, 3)
    assert str(tape).endswith("... 3 more, which are not kept")
    assert '"more":98' in tape.replay().html()


# --- in the browser ---------------------------------------------------------------------------------------


def minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def check_step(page: Any, tape: Tape, k: int, way: str = "steps") -> None:
    walk = tape.walks[0]
    steps = getattr(walk, way)
    step = steps[k]
    assert page.locator("#position").inner_text() == f"step {k + 1} of {len(steps)}"
    now = {each.target: each.after for each in steps[: k + 1] if not each.stored}
    for target, glimpse in now.items():
        text = page.locator("#picture .gradient").nth(target).text_content()
        assert text == "grad " + minus(str(glimpse)), (k, target)
    numbers = page.locator("#step .sum .number").all_inner_texts()
    expected = [step.before, step.dx, step.after] if step.before else [step.dx, step.after][not step.hooked :]
    assert numbers == [minus(str(glimpse)) for glimpse in expected]
    assert page.locator("#log li.now button").inner_text().endswith(minus(str(step.after)))
    classes = page.locator(".box").evaluate_all("its => its.map(it => [...it.classList])")
    assert [number for number, each in enumerate(classes) if "target" in each] == [step.target]
    sources = [] if step.source is None or step.stored else [step.source]
    assert [number for number, each in enumerate(classes) if "source" in each] == sources


@pytest.mark.browser
def test_the_page_shows_each_step_with_its_numbers(open_page: Callable[..., Any]) -> None:
    x, w, b = number(-1.5), number(2.0), number(0.25)
    y = x * w + b
    loss = y * y * w
    with minigrad.record() as tape:
        loss.backward()
    page = open_page(tape.replay())
    for k in range(len(tape.walks[0].steps)):
        check_step(page, tape, k)
        page.locator("#forward").click(force=True)
    assert page.locator("#forward").is_disabled()
    page.locator("#log button").nth(2).click()
    check_step(page, tape, 2)
    page.locator("#slider").focus()
    page.keyboard.press("ArrowRight")
    check_step(page, tape, 3)


def test_what_has_the_same_name_is_told_apart_by_its_number() -> None:
    layers = {"w": number(2.0), "b": number(3.0)}
    with minigrad.record() as tape:
        (layers["w"] * layers["b"]).backward()
    assert str(tape).splitlines()[-2:] == ["  4  tensor #0.grad is 3", "  5  tensor #1.grad is 2"]


@pytest.mark.browser
def test_what_is_said_of_an_output_and_of_recursion_that_happens_to_be_right(open_page: Callable[..., Any]) -> None:
    x = number(2.0)
    y = x * x
    z = y.exp()
    with minigrad.record() as tape:
        minigrad.grad([z, y], [y])
    page = open_page(tape.replay())
    page.evaluate("control.go(99)")
    assert "y is an output itself, so there is something already" in page.locator("#step").inner_text()
    a = number(1.0)
    with minigrad.record() as tape:
        b = a + a
        (b * b * 0.0).backward()
    page = open_page(tape.replay())
    page.locator("input[value=recursion]").check()
    page.evaluate("control.go(99)")
    assert page.locator("#verdict").inner_text().startswith("The same, this time. It called operations ")


@pytest.mark.browser
def test_the_page_says_that_not_all_steps_are_kept(open_page: Callable[..., Any]) -> None:
    y = number(1.0)
    for _ in range(1000):
        y = y * 1.001
    with minigrad.record() as tape:
        y.backward()
    assert open_page(tape.replay()).locator("#position").inner_text() == "step 1 of 1000; 2 more are not kept"


@pytest.mark.browser
def test_the_page_shows_what_a_hook_does(open_page: Callable[..., Any]) -> None:
    tape = hooked_twice()
    page = open_page(tape.replay())
    for k in range(len(tape.walks[0].steps)):
        check_step(page, tape, k)
        said = "A hook is registered there" in page.locator("#step").inner_text()
        assert said == tape.walks[0].steps[k].hooked
        page.locator("#forward").click(force=True)


@pytest.mark.browser
def test_the_switch_shows_recursion_and_its_verdict(open_page: Callable[..., Any]) -> None:
    tape = doubled_twice()
    page = open_page(tape.replay())
    assert page.locator("#verdict").inner_text() == ""
    page.locator("input[value=recursion]").check()
    steps = tape.walks[0].recursion
    assert steps is not None
    for k in range(len(steps)):
        check_step(page, tape, k, "recursion")
        page.locator("#forward").click(force=True)
    verdict = page.locator("#verdict").inner_text()
    assert verdict.startswith("Wrong. It called operations 3 times where the walk visits 2")
    assert page.locator("#verdict td").all_inner_texts() == ["4", "6"]
    assert "But b has been here before, and gave 1" in page.locator("#step").inner_text()
    page.locator("input[value=walk]").check()
    assert page.locator("#verdict").inner_text() == ""


@pytest.mark.browser
def test_boxes_are_inspected_with_mouse_and_keyboard(open_page: Callable[..., Any]) -> None:
    W = minigrad.tensor([[1.0, -2.0], [3.0, 0.5]], requires_grad=True)
    with minigrad.record() as tape:
        (W * W).sum().backward()
    page = open_page(tape.replay())
    page.locator("#box0").click()
    assert page.locator("#inspected h2").inner_text() == "W"
    assert page.locator("#inspected td").all_inner_texts() == ["1", minus("-2"), "3", "0.5"]
    page.evaluate("control.go(99)")
    assert page.locator("#inspected td").all_inner_texts()[4:] == ["2", minus("-4"), "6", "1"]
    page.locator("#box2").focus()
    page.keyboard.press("Enter")
    assert page.locator("#inspected h2").inner_text() == "SumTo"
    page.evaluate("control.go(1)")
    assert "BroadcastTo(self.x_shape)(dy)" in page.locator("#source code").inner_text()


@pytest.mark.browser
def test_a_network_collapses_and_the_second_call_is_chosen(open_page: Callable[..., Any]) -> None:
    _, loss = network()
    with minigrad.record() as tape:
        for _ in range(7):
            loss().backward()
    page = open_page(tape.replay(depth=0))
    assert page.locator("#picture .module").count() == 1
    assert "2 more, which are not shown" in page.locator("#walk-choice").inner_text()
    page.locator("#walk-choice select").select_option(index=1)
    page.evaluate("control.go(99)")
    assert "still holds the gradient from before" in page.locator("#step").inner_text()
