"""How matrix products and convolutions are cut into parts, for the kernels of minigrad_ext/*.cl that compute them.

A processor gets blocks of channels by strips of columns (conv2d.cl, matmul.cl). A GPU gets tiles that a work-group
computes in the memory it shares (tiles.cl), or, where few channels would leave them empty, blocks and strips as well.
"""

from math import gcd
from typing import NamedTuple

import numpy as np

from minigrad.backends.base import HostArray
from minigrad.backends.geometry import ConvGeometry

BLOCK = STRIP = 8  # the most rows or channels, and columns, of one work-item
STRIP_ON_GPU = 4  # there, more work-items are worth more than longer strips
GROUPS_PER_UNIT = 4  # work-groups that each compute unit of a GPU should have: while one waits, another multiplies
MOST_PARTIAL_SUMS = 2**22  # elements of memory that the sums of shares may take
LONGEST_SUM = 4096  # terms that float32 adds up one after the other, where it can be helped


class Tile(NamedTuple):
    """What a work-group of side x side work-items computes, each of them own x own sums, of depth terms at a time."""

    side: int
    own: int
    depth: int

    @property
    def size(self) -> int:
        """Rows of a tile, and places."""
        return self.side * self.own

    @property
    def options(self) -> str:
        return f"-D SIDE={self.side} -D OWN={self.own} -D DEPTH={self.depth}"

    def cover(self, length: int) -> int:
        """How many tiles cover so many rows or places."""
        return parts(length, self.size)


# side**2 must be a multiple of size and of depth: each work-item then fetches for one and the same row, place or term.
TILES = (Tile(16, 4, 16), Tile(8, 4, 16))
FULL_ENOUGH = 8  # rows of a tile, and terms of a slice, with fewer of which blocks are faster


def parts(size: int, part: int) -> int:
    """How many parts of size `part` cover `size`."""
    return -(-size // part)


def block_for(channels: int) -> int:
    """The smallest power of two that holds so many channels, or the largest block."""
    return min(BLOCK, 1 << max(0, channels - 1).bit_length())


def tile_for(rows: int, places: int) -> Tile:
    """The largest tile that a result of so many rows and places fills."""
    return next((tile for tile in TILES if min(rows, places) >= tile.size), TILES[-1])


def suits_tiles(rows: int, places: int, terms: int) -> bool:
    return min(rows, terms) >= FULL_ENOUGH and rows * places >= TILES[-1].size ** 2


def shares_of(terms: int, tile: Tile, tiles: int, wanted: int, elements: int) -> int:
    """Into how many shares to cut the sums of so many terms, for a result of so many tiles and elements.

    That many that there are the work-groups wanted, but each share has a few slices; more if a running sum in float32
    would become too long; fewer if their sums would take too much memory.
    """
    shares = max(min(wanted // tiles, terms // (2 * tile.depth)), terms // LONGEST_SUM)
    return max(1, min(shares, MOST_PARTIAL_SUMS // elements))


def geometry_argument(geometry: ConvGeometry) -> HostArray:
    """`geometry` as the struct Geometry of geometry.cl."""
    for axis in (0, 1):
        reach = geometry.x_shape[axis + 2] + geometry.padding[axis]
        reach += (geometry.y_shape[axis + 2] + STRIP) * geometry.stride[axis]
        reach += geometry.w_shape[axis + 2] * geometry.dilation[axis]
        if reach >= 2**31:  # no coordinate in the kernels is larger
            raise ValueError(f"conv2d: stride={geometry.stride}, padding={geometry.padding} and "
                             f"dilation={geometry.dilation} lead to places beyond the 32 bits in which device 'opencl' "
                             "counts; use device 'cpu'.")
    sizes = (*geometry.x_shape, *geometry.w_shape, *geometry.y_shape[2:])
    common = [gcd(*pair) for pair in zip(geometry.stride, geometry.dilation, strict=True)]
    steps = [stride // each for stride, each in zip(geometry.stride, common, strict=True)]
    shifts = [dilation // each for dilation, each in zip(geometry.dilation, common, strict=True)]
    numbers = (*sizes, *geometry.stride, *geometry.padding, *geometry.dilation, geometry.groups, *steps, *shifts)
    return np.array(numbers, np.int32)
