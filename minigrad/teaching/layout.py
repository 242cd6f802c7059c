"""Where the boxes of a graph go: in layers from top to bottom, so that few lines cross and most run straight.

In four steps: a layer for every box; stops for lines that pass layers; an order within each layer; places along it.

Source: Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures" (1981), whose
third step it takes: boxes are sorted by the mean position of their neighbours, up and down in turn. The last step is
isotonic regression, which finds, in a given order, the places nearest to those that are wished for.
"""

from bisect import bisect, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_BETWEEN_BOXES, _BETWEEN_LAYERS, _LINE = 26.0, 46.0, 10.0  # distances, and the width kept free for a line
_LIGHT = 0.02  # how much a weight pulls, beside 1 for an operation
_SWEEPS = 12

Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """The middle of every box, the points through which each line runs, and the size of it all."""

    centres: list[Point]
    lines: list[list[Point]]
    width: float
    height: float


def layered(sizes: Sequence[Point], edges: Sequence[tuple[int, int]]) -> Layout:
    """Boxes of `sizes` (width, height), of which the first of each edge is above the second.

    Boxes are numbered so that edges lead from lower to higher numbers. An edge may be there twice; the lines that enter
    a box come in side by side, in the order of `edges`.
    """
    layer = _layers(len(sizes), edges)
    widths = [width for width, _ in sizes]
    stops: dict[tuple[int, int], int] = {}  # by box and layer: all lines of one box pass a layer together
    chains = []  # for each edge: its box, the stops on the way, the other box
    for source, target in edges:
        chain = [source]
        for between in range(layer[source] + 1, layer[target]):
            if (source, between) not in stops:
                stops[source, between] = len(widths)
                widths.append(_LINE)
                layer.append(between)
            chain.append(stops[source, between])
        chains.append([*chain, target])
    links = dict.fromkeys([link for chain in chains for link in pairwise(chain)])
    above: list[list[int]] = [[] for _ in widths]
    below: list[list[int]] = [[] for _ in widths]
    for upper, lower in links:
        above[lower].append(upper)
        below[upper].append(lower)
    rows = _ordered(layer, above, below)
    across = _places(rows, widths, above, below, len(sizes))

    heights = [max([sizes[box][1] for box in row if box < len(sizes)], default=0.0) for row in rows]
    down, top = [], 0.0
    for height in heights:
        down.append(top + height / 2)
        top += height + _BETWEEN_LAYERS
    centres = [(across[box], down[layer[box]]) for box in range(len(sizes))]
    lines, seen = [], [0] * len(sizes)
    entering = [sum([target == box for _, target in edges]) for box in range(len(sizes))]
    for chain in chains:
        source, target = chain[0], chain[-1]
        seen[target] += 1
        port = sizes[target][0] * (seen[target] / (entering[target] + 1) - 0.5)
        start = (across[source], centres[source][1] + sizes[source][1] / 2)
        end = (across[target] + port, centres[target][1] - sizes[target][1] / 2)
        lines.append([start, *[(across[stop], down[layer[stop]]) for stop in chain[1:-1]], end])
    width = max([across[box] + widths[box] / 2 for box in range(len(widths))], default=0.0)
    return Layout(centres, lines, width, max(0.0, top - _BETWEEN_LAYERS))


def _layers(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The longest way from a source to each box that nobody uses; every other stands right above its first user."""
    layer: list[int] = [0] * count
    users: list[list[int]] = [[] for _ in range(count)]
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        layer[target] = max(layer[target], layer[source] + 1)
        users[source].append(target)
    for box in reversed(range(count)):
        layer[box] = min([layer[user] - 1 for user in users[box]], default=layer[box])
    return layer


def _ordered(layer: list[int], above: list[list[int]], below: list[list[int]]) -> list[list[int]]:
    """The boxes and stops of each layer from left to right, with few crossings."""
    rows: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for box in _by_depth(above, below):
        rows[layer[box]].append(box)
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(_SWEEPS):
        neighbours, down = (above, True) if sweep % 2 == 0 else (below, False)
        for number in range(len(rows)) if down else reversed(range(len(rows))):
            beside = number - 1 if down else number + 1
            if 0 <= beside < len(rows):
                at = {box: position for position, box in enumerate(rows[beside])}
                now = {box: position for position, box in enumerate(rows[number])}
                places = {box: [at[other] for other in neighbours[box]] or [now[box]] for box in rows[number]}
                rows[number].sort(key=lambda box: sum(places[box]) / len(places[box]))
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _by_depth(above: list[list[int]], below: list[list[int]]) -> Iterator[int]:
    """All boxes, those that hang together one after the other: inputs first, from the last box upwards."""
    seen = set()
    for last in [box for box, lower in enumerate(below) if not lower]:
        pending = [last]
        while pending:
            box = pending.pop()
            if box not in seen:
                seen.add(box)
                yield box
                pending += reversed(above[box])


def _crossings(rows: list[list[int]], below: list[list[int]]) -> int:
    """How many lines cross between neighbouring layers."""
    count = 0
    for row, lower in pairwise(rows):
        at = {box: position for position, box in enumerate(lower)}
        ends: list[int] = []
        for box in row:
            targets = [at[target] for target in below[box]]
            count += sum([len(ends) - bisect(ends, target) for target in targets])
            for target in targets:
                insort(ends, target)
    return count


def _places(rows: list[list[int]], widths: list[float], above: list[list[int]], below: list[list[int]], boxes: int
            ) -> list[float]:
    """How far to the right the middle of each box and stop is: near those of its neighbours above and below. The first
    `boxes` are boxes.

    What has nothing above, such as a weight, makes room for the others. So long chains run straight.
    """
    pull = [_LIGHT if not upper else 1.0 for upper in above]
    across = [0.0] * len(widths)
    for row in rows:
        _place(row, widths, pull, across, [0.0] * len(row), boxes)
    for sweep in range(2 * _SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wishes = []
            for box in row:
                others = above[box] + below[box]
                total = sum([pull[other] for other in others])
                wish = sum([pull[other] * across[other] for other in others])
                wishes.append(wish / total if others else across[box])
            _place(row, widths, pull, across, wishes, boxes)
    left = min([across[box] - widths[box] / 2 for box in range(len(widths))], default=0.0)
    return [place - left for place in across]


def _place(row: list[int], widths: list[float], pull: list[float], across: list[float], wishes: list[float],
           boxes: int) -> None:
    """Put the row where it is wished to be, as nearly as its order and the distances allow (weighted least squares).

    With the distances taken off, places must only not fall. Where wishes do, neighbours join in a block at their mean.
    """
    offsets, offset = [0.0], 0.0
    for box, following in pairwise(row):
        gap = 0 if min(box, following) >= boxes else _BETWEEN_BOXES  # lines may run side by side
        offset += (widths[box] + widths[following]) / 2 + gap
        offsets.append(offset)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, and of how many
    for box, wish, offset in zip(row, wishes, offsets, strict=False):
        mean, weight, count = wish - offset, pull[box], 1
        while blocks and blocks[-1][0] >= mean:
            before, others, more = blocks.pop()
            mean = (before * others + mean * weight) / (others + weight)
            weight, count = others + weight, more + count
        blocks.append((mean, weight, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    for box, mean, offset in zip(row, means, offsets, strict=False):
        across[box] = mean + offset
