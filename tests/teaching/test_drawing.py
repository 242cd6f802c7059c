"""draw(): what is in the picture is what is in the graph, with the names of the caller, at any size."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import minigrad
from minigrad import Tensor, nn
from minigrad.nn import functional as F
from minigrad.teaching.drawing import Drawing

SVG = "{http://www.w3.org/2000/svg}"


def titles(drawing: Drawing) -> list[str]:
    return [box.title for box in drawing.boxes]


def number(value: float) -> Tensor:
    return minigrad.tensor(value, requires_grad=True)


def test_the_picture_of_a_tensor_used_twice() -> None:
    a = number(1.0)
    b = a + a
    c = b + b
    drawing = minigrad.draw(c)
    assert str(drawing).splitlines() == [
        "#0   a                                    scalar, 1",
        "#1   b = Add of #0, #0                    scalar, 2",
        "#2   c = Add of #1, #1                    scalar, 4",
    ]
    assert drawing.lines == [(0, 1), (0, 1), (1, 2), (1, 2)]
    assert 'box1 [label="b = Add\\nscalar\\n2"];' in drawing.dot
    assert drawing.dot.count("box0 -> box1;") == 2


def test_the_svg_is_well_formed_and_shows_every_box_and_line() -> None:
    x, w = minigrad.randn(3, 2), minigrad.randn(2, 4, requires_grad=True)
    drawing = minigrad.draw((x @ w < 1).float().sum() * w.tanh().sum() + (x @ w).exp().mean())
    tree = ElementTree.fromstring(drawing.svg)
    assert len(tree.findall(f"{SVG}g")) == len(drawing.boxes)
    assert len(tree.findall(f"{SVG}path")) == len(drawing.lines)
    texts = [group.findtext(f"{SVG}text") for group in tree.findall(f"{SVG}g")]
    assert texts == titles(drawing)


def test_names_are_those_of_the_caller_and_of_its_modules() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    scale = number(2.0)
    x = minigrad.ones(1, 2)
    y = model(x) * scale
    assert titles(minigrad.draw(y.sum(), depth=9)) == [
        "x", "model.0.weight", "Linear", "model.0.bias", "AddBias", "Tanh", "scale", "BroadcastTo", "y = Mul", "SumTo",
    ]  # fmt: skip
    _hidden = number(1.0)
    assert titles(minigrad.draw(_hidden * _hidden)) == ["tensor", "Mul"]


def test_elements_of_lists_have_names_too() -> None:
    weights, scale = [number(1.0), number(2.0)], number(3.0)
    assert titles(minigrad.draw(weights[0] * weights[1] * scale)) == ["weights[0]", "weights[1]", "Mul", "scale", "Mul"]


def test_a_value_is_shown_where_something_has_kept_it() -> None:
    x = number(3.0)
    kept = x * x  # by its name
    drawing = minigrad.draw((kept + 1).exp() + 1)  # the sum inside by nobody; exp keeps its result
    values = [(box.title, box.lines[1]) for box in drawing.boxes]
    assert values == [("x", "3"), ("kept = Mul", "9"), ("Add", ""), ("Exp", "2.203e+04"), ("Add", "2.203e+04")]


def test_a_graph_before_backward_has_no_gradients_and_none_are_invented() -> None:
    x = number(3.0)
    loss = x * x
    assert minigrad.draw(loss).graph.nodes[0].gradient is None
    loss.backward(retain_graph=True)
    assert str(minigrad.draw(loss).graph.nodes[0].gradient) == "6"


class Block(nn.Module):
    def __init__(self) -> None:
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.inner(x) + x)


def test_large_graphs_collapse_by_module() -> None:
    net = nn.Sequential(*[Block() for _ in range(16)])
    x = minigrad.randn(2, 4)
    out = net(x).sum()
    collapsed = minigrad.draw(out)
    assert len(collapsed.boxes) <= 40
    modules = [box for box in collapsed.boxes if box.kind == "module"]
    assert [box.title for box in modules] == [f"net.{k}: Block" for k in range(16)]
    assert modules[0].lines == ["7 operations, 40 parameters", "2 x 4"]
    opened = minigrad.draw(out, depth=2)
    assert {"net.0.inner: Sequential", "Add", "Relu"} <= set(titles(opened))
    assert titles(minigrad.draw(out, depth=0)) == ["x", "net: Sequential", "out = SumTo"]
    assert all(box.kind != "module" for box in minigrad.draw(out, depth=9).boxes)


def test_one_module_called_twice_is_two_boxes() -> None:
    layer = nn.Linear(2, 2)
    x = minigrad.ones(1, 2)
    drawing = minigrad.draw(layer(layer(x)).sum(), depth=0)
    assert titles(drawing) == ["x", "layer.weight", "layer.bias", "layer: Linear", "layer: Linear", "SumTo"]


def test_a_constant_that_is_used_again_is_one_box() -> None:
    x, w = minigrad.tensor([1.0, 2.0]), number(3.0)
    with minigrad.record() as tape:
        z = (x + w).exp() + x
        x[0] = 5.0
        (z + x).sum().backward()
    titles = [node.title for node in tape.walks[0].graph.nodes]
    assert titles.count("x") == 2, "as it was, and as it was when it had been written"
    assert [box.title for box in minigrad.draw((x * w).exp() * x).boxes].count("x") == 1


def test_a_leaf_that_was_written_since_shows_no_number_of_today() -> None:
    w = minigrad.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    with minigrad.no_grad():
        w -= 20
    assert [line.split("  ")[-1].strip() for line in str(minigrad.draw(loss)).splitlines()] == ["2", "2", "scalar, 5"]


def test_a_module_that_is_gone_is_called_by_its_class() -> None:
    y = nn.Sequential(nn.Linear(2, 2))(minigrad.ones(1, 2)).sum()
    assert titles(minigrad.draw(y, depth=0))== ["Sequential", "y = SumTo"]


def test_a_module_whose_forward_fails_is_left() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="does not fit"):
        model(minigrad.ones(1, 3))
    x = number(1.0)
    assert minigrad.draw(x * x, depth=0).graph.nodes[-1].path == ()


def test_thousands_of_operations_without_modules_are_cut_with_a_word() -> None:
    x = start = number(1.0)
    for _ in range(5000):
        x = x * 1.001
    drawing = minigrad.draw(x)
    assert len(drawing.boxes) == 201
    assert drawing.boxes[0].kind == "rest"
    assert re.fullmatch(r"4,9\d\d operations more", drawing.boxes[0].title)
    assert start.grad is None
    assert len(drawing.svg) < 200_000


def test_files(tmp_path: Path) -> None:
    x = number(1.0)
    drawing = minigrad.draw(x.exp())
    assert drawing.save(tmp_path / "new" / "graph.svg").read_text(encoding="utf-8") == drawing.svg
    assert drawing._repr_svg_() == drawing.svg
    assert drawing.save(tmp_path / "graph.dot").read_text(encoding="utf-8") == drawing.dot
    assert repr(drawing) == "<Drawing of 2 nodes in 2 boxes>"


def test_it_keeps_no_graph_alive() -> None:
    x = number(1.0)
    y = x.exp()
    drawing = minigrad.draw(y)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    assert titles(drawing) == ["x", "y = Exp"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: minigrad.draw(1.0), TypeError, "draw: needs a tensor, got float"),
        (lambda: minigrad.draw(minigrad.ones(2)), ValueError, "Set requires_grad=True"),
        (lambda: minigrad.draw(number(1.0)), ValueError, "is a leaf"),
        (lambda: minigrad.draw(number(1.0).exp(), depth=-1), ValueError, "depth=-1 must be at least 0"),
        (lambda: minigrad.draw(number(1.0).exp(), depth=1.5), TypeError, "depth"),
    ],
)
def test_says_what_is_wrong(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_on_each_device(device: str) -> None:
    x = minigrad.ones(2, 3, requires_grad=True)
    assert [box.lines for box in minigrad.draw((x * x).sum()).boxes][1] == ["2 x 3", ""]


@pytest.mark.browser
def test_the_picture_is_seen_in_both_lights(open_page: Callable[..., Any]) -> None:
    a = number(1.0)
    drawing = minigrad.draw(a + a)
    fills = set()
    for scheme in ("light", "dark"):
        page = open_page(f"<!doctype html><title>graph</title>{drawing.svg}", color_scheme=scheme)
        fills.add(page.evaluate("getComputedStyle(document.querySelector('.function rect')).fill"))
        box = page.locator("#box0 text").first.bounding_box()
        frame = page.locator("#box0 rect").bounding_box()
        assert frame["x"] < box["x"] < box["x"] + box["width"] < frame["x"] + frame["width"]
    assert len(fills) == 2
