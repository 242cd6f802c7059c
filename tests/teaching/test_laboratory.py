"""The laboratory foretells what the engine then does, and its page does the same sums."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import nn, optim
from minigrad.teaching.laboratory import Laboratory


def test_the_loss_is_the_quadratic_that_learners_are_told_of() -> None:
    it = minigrad.laboratory()
    np.testing.assert_allclose(it.hessian, [[36, 24], [24, 36]], rtol=1e-12)
    np.testing.assert_allclose(it.eigenvalues, [12, 60], rtol=1e-12)
    np.testing.assert_allclose(it.target, [1, -1], rtol=1e-12)
    assert it.limit == pytest.approx(1 / 30)
    assert it.lr / it.limit == pytest.approx(0.9)


@pytest.mark.parametrize(("lr", "loss"), [(0.03, 0.11), (1 / 36, 0.006), (0.036, 187)])
def test_ten_steps_from_the_book(lr: float, loss: float) -> None:
    assert minigrad.laboratory(lr=lr).losses[-1] == pytest.approx(loss, rel=0.05)


def test_a_convolution_learns_the_flipped_kernel() -> None:
    it = minigrad.laboratory(convolve=True, steps=60)
    np.testing.assert_allclose(it.kernels[-1], [-1, 1], atol=1e-4)
    np.testing.assert_allclose(it.target, [-1, 1], rtol=1e-12)


def test_a_rate_for_the_sum_crawls_under_the_mean() -> None:
    total, mean = minigrad.laboratory(), minigrad.laboratory(reduction="mean")
    assert mean.limit == pytest.approx(42 * total.limit)
    assert mean.rate > 0.99
    assert mean.losses[-1] > mean.losses[0] / 2


def test_it_is_what_a_layer_and_the_optimizer_do(device: str) -> None:
    X = minigrad.ones(6, 8)
    X[:, 2:6] = 0
    Y = minigrad.corr2d(X, minigrad.tensor([[1.0, -1.0]]))
    layer = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
    layer.weight.data[:] = minigrad.tensor([0.5, 0.3])
    optimizer = optim.SGD(layer.parameters(), lr=0.02, momentum=0.5)
    losses = []
    for _ in range(12):
        loss = ((layer(X.reshape(1, 1, 6, 8)) - Y.reshape(1, 1, 6, 7)) ** 2).sum()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    it = minigrad.laboratory(lr=0.02, momentum=0.5, steps=12)
    np.testing.assert_allclose(losses, it.losses[:12], rtol=1e-4)


@given(
    share=st.floats(0.05, 1.1),
    momentum=st.floats(0, 0.9),
    reduction=st.sampled_from(["sum", "mean"]),
    convolve=st.booleans(),
)
@settings(max_examples=40)
def test_the_prediction_holds(share: float, momentum: float, reduction: str, convolve: bool) -> None:
    limit = minigrad.laboratory(momentum=momentum, reduction=reduction, steps=1).limit
    it = minigrad.laboratory(share * limit, momentum, (0.5, 0.3), reduction=reduction, convolve=convolve, steps=200)
    if abs(share - 1) > 1e-9:
        assert (it.rate < 1) == (share < 1)
    else:  # at the limit itself, but for rounding
        assert it.rate == pytest.approx(1, rel=1e-6)
    assert it.losses[0] > 0
    # Where roots are complex the loss swings about its trend, and equal roots add a factor that grows like the step.
    if not math.isnan(it.measured):
        assert it.measured == pytest.approx(it.rate, abs=0.05)


def test_the_limit_is_where_it_stops_to_converge() -> None:
    for momentum in (0.0, 0.5):
        limit = minigrad.laboratory(momentum=momentum).limit
        below = minigrad.laboratory(0.98 * limit, momentum, steps=500)
        above = minigrad.laboratory(1.02 * limit, momentum, steps=500)
        assert below.losses[-1] < 1e-2 < 1e2 < above.losses[-1]


def test_the_text() -> None:
    lines = str(minigrad.laboratory(lr=0.036)).splitlines()
    assert lines[0] == "The loss is a quadratic with Hessian [[36.0, 24.0], [24.0, 36.0]]: eigenvalues 12 and 60."
    assert lines[1] == "lr 0.036, momentum 0: does not converge: lr must be below 0.0333333."
    assert lines[-1].startswith("After 10 steps: kernel [2.76143, 0.76772], loss 186.823")


def test_where_it_has_arrived_there_is_nothing_to_measure() -> None:
    assert "it has arrived in the second half" in str(minigrad.laboratory(steps=500))


def test_one_that_begins_at_the_end_has_arrived() -> None:
    assert "it has arrived in the second half" in str(minigrad.laboratory(start=(1, -1)))


@pytest.mark.browser
@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"start": (1, -1)}, "steps it has arrived"), ({"steps": 500}, "steps it has arrived"),
     ({}, "steps it was by 0.7"), ({"lr": 1e6, "steps": 500}, "steps it is beyond all numbers"),
     ({"lr": 1 / 36}, "steps it was by 0.66667")],
)  # fmt: skip
def test_the_verdict_on_the_page(open_page: Callable[..., Any], arguments: dict[str, Any], says: str) -> None:
    assert says in open_page(minigrad.laboratory(**arguments)).locator("#verdict").inner_text()


def test_an_explosion_is_no_crash() -> None:
    it = minigrad.laboratory(lr=1e6, steps=500)
    assert not math.isfinite(it.losses[-1])
    assert math.isnan(it.measured)
    assert "it is beyond all numbers in the second half" in str(it)
    assert "does not converge" in str(it)
    assert len(it.html()) > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": 0.0}, "lr=0.0 must be a positive number"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"lr": "0.1"}, "lr='0.1'"),
        ({"momentum": 1.0}, "momentum=1.0 must be from 0 to below 1"),
        ({"start": (1.0,)}, "start=(1.0,) must be two numbers"),
        ({"start": (1.0, float("inf"))}, "must be two numbers"),
        ({"start": 3.0}, "start=3.0"),
        ({"start": "ab"}, "start='ab'"),
        ({"reduction": "max"}, "reduction='max' must be 'sum' or 'mean'"),
        ({"steps": 0}, "steps=0 must be an int from 1 to 500"),
        ({"steps": 501}, "steps=501"),
        ({"steps": 2.5}, "steps=2.5"),
    ],
)
def test_says_what_is_wrong(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        minigrad.laboratory(**arguments)


def test_works_under_no_grad_and_with_another_default_device() -> None:
    minigrad.set_default_device("reference")
    try:
        with minigrad.no_grad():
            assert minigrad.laboratory().losses[-1] == pytest.approx(0.112, rel=1e-2)
    finally:
        minigrad.set_default_device("cpu")


# --- in the browser ---------------------------------------------------------------------------------------


def check(page: Any, it: Laboratory) -> None:
    """The page has done the same steps."""
    read = "its => its.slice(1).map(it => [...it.cells].map(cell => cell.textContent))"
    rows = page.locator("#table tr").evaluate_all(read)
    numbers = np.array([[float(text.replace("\N{MINUS SIGN}", "-")) for text in row] for row in rows])
    np.testing.assert_array_equal(numbers[:, 0], range(it.steps + 1))
    np.testing.assert_allclose(numbers[:, 1:3], it.kernels, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(numbers[:, 3], it.losses, rtol=1e-6, atol=1e-12)
    assert page.evaluate("rate()") == pytest.approx(it.rate, rel=1e-9)
    assert page.evaluate("limit()") == pytest.approx(it.limit, rel=1e-9)


@pytest.mark.browser
def test_the_page_does_the_same_sums(open_page: Callable[..., Any]) -> None:
    page = open_page(minigrad.laboratory())
    check(page, minigrad.laboratory())
    page.locator("#lr").fill("0.02")
    page.locator("#momentum").fill("0.5")
    page.locator("#start0").fill("-1.5")
    page.locator("#start1").fill("0.25")
    page.locator("#steps").fill("25")
    check(page, minigrad.laboratory(0.02, 0.5, (-1.5, 0.25), steps=25))
    page.locator("input[name=reduction][value=mean]").check()
    check(page, minigrad.laboratory(0.02, 0.5, (-1.5, 0.25), reduction="mean", steps=25))
    assert "a crawl" in page.locator("#verdict").inner_text()
    page.locator("input[name=convolve][value=true]").check()
    check(page, minigrad.laboratory(0.02, 0.5, (-1.5, 0.25), reduction="mean", convolve=True, steps=25))


@pytest.mark.browser
@pytest.mark.parametrize(
    ("label", "lr", "momentum"),
    [("the book's 0.03", 0.03, 0), ("the best, 1/36", 1 / 36, 0), ("the limit, 1/30", 1 / 30, 0),
     ("too much, 0.036", 0.036, 0), ("with momentum", 0.03, 0.3)],
)  # fmt: skip
def test_presets(open_page: Callable[..., Any], label: str, lr: float, momentum: float) -> None:
    page = open_page(minigrad.laboratory(lr=0.001, steps=20))
    page.get_by_role("button", name=label).click()
    check(page, minigrad.laboratory(lr, momentum, steps=20))
    fails = lr >= 1 / 30 and momentum == 0
    assert page.locator("#verdict").inner_text().startswith("It does not converge" if fails else "It converges")


@pytest.mark.browser
def test_the_valley_is_clicked_and_the_steps_are_walked(open_page: Callable[..., Any]) -> None:
    page = open_page(minigrad.laboratory())
    box = page.locator("#valley svg").bounding_box()
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    start = page.evaluate("state.start")
    assert start != [0.5, 0.3]
    assert -2.3 < start[0] < 0 < start[1] < 2.3
    check(page, minigrad.laboratory(start=start))
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.7 * box["height"])
    page.mouse.up()
    dragged = page.evaluate("state.start")
    assert dragged[1] < -0.5 < 0.5 < dragged[0]
    check(page, minigrad.laboratory(start=dragged))
    page.locator("#start0").press("ArrowUp")
    assert dragged[0] < page.evaluate("state.start[0]") < dragged[0] + 0.11  # the next tenth
    page.locator("#slider").fill("10")
    assert page.locator("#position").inner_text() == "step 10 of 10"
    assert page.locator("#kernel").inner_text().startswith("kernel [")
    assert page.locator(".dot.now").count() == 2
    wanted = page.locator("#matrices table").nth(2).locator("td").all_inner_texts()
    assert wanted[:7] == ["0", "1", "0", "0", "0", "\N{MINUS SIGN}1", "0"]


@pytest.mark.browser
def test_sliders_and_nonsense(open_page: Callable[..., Any]) -> None:
    page = open_page(minigrad.laboratory())
    page.locator("#lr-slider").focus()
    page.keyboard.press("ArrowRight")
    assert 0.03 < page.evaluate("state.lr") < 0.0305
    page.locator("#momentum-slider").fill("0.9")
    assert page.evaluate("state.momentum") == 0.9
    fields = [("lr", "0"), ("lr", ""), ("momentum", "1"), ("steps", "0"), ("steps", "2.5"), ("start0", "")]
    for name, nonsense in fields:
        before = page.evaluate("JSON.stringify(state)")
        page.locator(f"#{name}").fill(nonsense)
        assert page.evaluate("JSON.stringify(state)") == before
        assert page.locator(f"#{name}").get_attribute("aria-invalid") == "true"


@pytest.mark.browser
def test_an_explosion_on_the_page(open_page: Callable[..., Any]) -> None:
    page = open_page(minigrad.laboratory(lr=3.0, steps=500))
    assert page.locator("#verdict").inner_text().startswith("It does not converge")
    page.locator("#slider").fill("500")
    assert "NaN" in page.locator("#kernel").inner_text() or "∞" in page.locator("#kernel").inner_text()


@pytest.mark.browser
def test_the_verdict_is_spoken_when_a_slider_rests(open_page: Callable[..., Any]) -> None:
    page = open_page(minigrad.laboratory())
    page.evaluate("""
        globalThis.spoken = 0;
        new MutationObserver(() => spoken++).observe(find("spoken"), { childList: true })""")
    for value in (-1.5, -1.4, -1.3):
        page.locator("#lr-slider").fill(str(value))
    page.locator("#spoken", has_text="It does not converge").wait_for(state="attached")
    assert page.evaluate("find('spoken').textContent === find('verdict').textContent")
    assert page.evaluate("spoken") <= 2  # what stood there when it opened, perhaps, and this


@pytest.mark.browser
def test_legends_have_the_numbers(open_page: Callable[..., Any]) -> None:
    page = open_page(minigrad.laboratory(reduction="mean"))
    its = minigrad.laboratory(reduction="mean").eigenvalues
    assert [float(page.locator(f"#{name}").inner_text()) for name in ("low", "high")] == pytest.approx(its, rel=1e-3)
