"""Boxes do not overlap, lines run downwards, and simple graphs look as one would draw them by hand."""

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.teaching.layout import layered

Edges = list[tuple[int, int]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[float, float]], Edges]:
    count = draw(st.integers(1, 14))
    sizes = draw(st.lists(st.tuples(st.integers(10, 200), st.integers(10, 60)), min_size=count, max_size=count))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] < pair[1])
    edges = draw(st.lists(pairs, max_size=20)) if count > 1 else []
    return [(float(width), float(height)) for width, height in sizes], edges


@given(graph=graphs())
@settings(max_examples=150)
def test_boxes_are_apart_and_lines_run_down(graph: tuple[list[tuple[float, float]], Edges]) -> None:
    sizes, edges = graph
    layout = layered(sizes, edges)
    assert len(layout.centres) == len(sizes)
    for (x, y), (width, height) in zip(layout.centres, sizes, strict=True):
        assert -0.01 <= x - width / 2 <= x + width / 2 <= layout.width + 0.01
        assert -0.01 <= y - height / 2 <= y + height / 2 <= layout.height + 0.01
    for one, other in combinations(range(len(sizes)), 2):
        across = abs(layout.centres[one][0] - layout.centres[other][0]) * 2
        down = abs(layout.centres[one][1] - layout.centres[other][1]) * 2
        assert across >= sizes[one][0] + sizes[other][0] or down >= sizes[one][1] + sizes[other][1]
    for (source, target), line in zip(edges, layout.lines, strict=True):
        (x, y), (width, height) = layout.centres[source], sizes[source]
        assert line[0] == (x, y + height / 2)
        (x, y), (width, height) = layout.centres[target], sizes[target]
        assert line[-1][1] == y - height / 2
        assert abs(line[-1][0] - x) < width / 2
        assert all(above[1] < below[1] for above, below in pairwise(line))
    ends = [line[-1] for line in layout.lines]
    assert len(set(ends)) == len(ends), "two lines enter a box at one point"


def test_a_chain_is_straight() -> None:
    layout = layered([(60.0, 20.0), (100.0, 20.0), (80.0, 20.0)], [(0, 1), (1, 2)])
    assert len({x for x, _ in layout.centres}) == 1


def test_a_weight_stands_beside_the_chain_right_above_its_user() -> None:
    #  0 -> 1 -> 2 -> 4,  3 -> 4
    layout = layered([(60.0, 20.0)] * 5, [(0, 1), (1, 2), (2, 4), (3, 4)])
    assert layout.centres[3][1] == layout.centres[2][1]
    chain = [layout.centres[box][0] for box in (0, 1, 2, 4)]
    assert max(chain) - min(chain) < 5


def test_lines_that_need_not_cross_do_not() -> None:
    layout = layered([(50.0, 20.0)] * 6, [(0, 5), (1, 4), (2, 3)])
    upper, lower = [layout.centres[box][0] for box in (0, 1, 2)], [layout.centres[box][0] for box in (5, 4, 3)]
    assert sorted(range(3), key=upper.__getitem__) == sorted(range(3), key=lower.__getitem__)


def test_a_long_line_passes_beside_the_boxes_of_the_layers_between() -> None:
    layout = layered([(80.0, 20.0)] * 4, [(0, 1), (1, 2), (0, 3), (2, 3)])
    for x, y in layout.lines[2][1:-1]:
        box = next(centre for centre in layout.centres if centre[1] == y)
        assert abs(x - box[0]) > 40


def test_nothing_is_laid_out_as_nothing() -> None:
    assert layered([], []).centres == []
