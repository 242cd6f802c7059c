# cython: boundscheck=False, wraparound=False, cdivision=True
"""A pool of memory for results and workspaces on the CPU.

The system hands out fresh memory page by page, at the first touch of each and filled with zeros; a training step that
allocates and frees the same arrays each time spends a good part of its time there. So memory that an array lets go
of is kept, on a *shelf* for blocks of its size, and the next array of about this size gets it, with the pages that it
has. Sizes are rounded up to 5, 6, 7 or 8 times a power of 2, by less than a quarter; if their shelf is empty, a block
of one of the next will do.

What is kept is bounded. If a shelf is empty, blocks of the shelves that have gone unused for longest are freed until
all that the pool holds, in use and idle, is at most 1.5 times what was ever in use at once; and what is idle never
exceeds an eighth of the machine's memory (1 GiB where its size cannot be known). A step that repeats itself therefore
stops asking the system for memory, and one of other shapes, later, soon has it all.

The pool is guarded by the GIL: each of its functions runs as a whole, and none calls back into Python half-way. A
forked child has a copy of it.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc

import os
from math import prod

import numpy as np

cdef enum:
    SMALL = 32 * 1024  # bytes: what is smaller is allocated by NumPy, which keeps pools of its own for it
    ALIGNMENT = 64     # bytes: a line of the cache, and the largest vector
    SLACK = 512        # bytes behind each block which kernels may read, but not write
    SHELVES = 4 * 64
    NEAR = 4               # shelves on which a block for a size is looked for: up to twice as large as need be

cdef extern from *:
    """
    #if defined(__SANITIZE_ADDRESS__)
    #define MINIGRAD_SANITIZED 1  /* blocks are as large as asked for and none is kept: errors show where they are */
    #else
    #define MINIGRAD_SANITIZED 0
    #endif
    """
    bint SANITIZED "MINIGRAD_SANITIZED"

FLOATS = {4: np.dtype(np.float32), 8: np.dtype(np.float64)}  # by their size in bytes, for kernels that do both

cdef object numpy_empty = np.empty
MOST = 2**62  # bytes: beyond it, sizes could not be added any more

cdef struct Idle:        # what an idle block holds, at its beginning
    void *raw
    size_t size
    Idle *next

cdef struct Shelf:
    Idle *first
    size_t used          # when something was last put there or taken away, on the pool's own clock

cdef Shelf[SHELVES] shelves
cdef size_t in_use = 0   # bytes, as are the next three
cdef size_t idle = 0
cdef size_t most = 0     # the most that was in use at once
cdef size_t limit        # of what is idle
cdef size_t clock = 0

limit = 1 << 30
if SANITIZED:
    limit = 0
elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8


cdef int shelf_of(size_t *size) noexcept:
    """The shelf for blocks of `size`, which is rounded up to the size of the blocks there."""
    cdef int power = 3
    size[0] = max(size[0], <size_t> ALIGNMENT)
    while (<size_t> 8 << power) <= size[0] - 1:
        power += 1
    cdef size_t quarter = <size_t> 1 << power       # size is in (4 * quarter, 8 * quarter]
    cdef size_t quarters = (size[0] + quarter - 1) >> power
    if not SANITIZED:
        size[0] = quarters << power
    return 4 * power + <int> (quarters - 5)


cdef void free_one() noexcept:
    """Frees a block of the shelf that has gone unused for longest."""
    global idle
    cdef Shelf *oldest = NULL
    cdef Idle *block
    cdef int k
    for k in range(SHELVES):
        if shelves[k].first != NULL and (oldest == NULL or shelves[k].used < oldest.used):
            oldest = &shelves[k]
    block = oldest.first
    oldest.first = block.next
    idle -= block.size
    free(block.raw)


cdef class Block:
    """So many bytes; an array over them, made through the buffer protocol, holds the block for as long as it lives."""

    cdef void *raw       # what malloc gave
    cdef char *memory    # aligned
    cdef size_t size
    cdef int shelf

    def __cinit__(self, size_t size):
        global clock, idle, in_use, most
        cdef Shelf *shelf
        cdef Idle *block
        cdef int k
        self.size = size
        self.shelf = shelf_of(&self.size)
        for k in range(self.shelf, min(self.shelf + NEAR, SHELVES)):
            if shelves[k].first != NULL:
                self.shelf = k
                break
        shelf = &shelves[self.shelf]
        block = shelf.first
        clock += 1
        shelf.used = clock
        if block != NULL:
            shelf.first = block.next
            idle -= block.size
            self.raw, self.memory, self.size = block.raw, <char *> block, block.size
        else:
            while idle > 0 and 2 * (in_use + idle + self.size) > 3 * most:
                free_one()
            self.raw = malloc(self.size + ALIGNMENT + SLACK)
            if self.raw == NULL and idle > 0:
                empty_cache()
                self.raw = malloc(self.size + ALIGNMENT + SLACK)
            if self.raw == NULL:
                self.size = 0
                raise MemoryError(f"Unable to allocate {size:,} bytes for an array")
            self.memory = <char *> ((<uintptr_t> self.raw + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT)
        in_use += self.size
        most = max(most, in_use)

    def __dealloc__(self):
        global clock, idle, in_use
        cdef Shelf *shelf = &shelves[self.shelf]
        cdef Idle *block = <Idle *> self.memory
        if self.raw == NULL:
            return
        in_use -= self.size
        block.raw, block.size, block.next = self.raw, self.size, shelf.first
        clock += 1
        shelf.first, shelf.used = block, clock
        idle += self.size
        while idle > limit:
            free_one()

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.memory, self.size, 0, flags)


def empty(tuple shape, dtype):
    """A new C-contiguous array. If it is small, its memory is NumPy's; else it is as that of `workspace`."""
    cdef Py_ssize_t size = dtype.itemsize
    cdef Py_ssize_t length
    for length in shape:
        size = size * length if size <= SMALL else size  # a number is enough to know that it is not small
    return numpy_empty(shape, dtype) if size < SMALL and size else workspace(shape, dtype)


def workspace(tuple shape, dtype):
    """A new C-contiguous array, aligned to 64 bytes, with 512 bytes behind it that kernels may read, but not write."""
    size = dtype.itemsize * prod(shape)
    if size > MOST:
        raise MemoryError(f"Unable to allocate {size:,} bytes for an array of shape {shape}")
    return np.ndarray(shape, dtype, Block(size))


def empty_cache():
    """Frees the memory that the pool keeps for arrays to come. What is in use stays; how much was once is forgotten."""
    global most
    while idle > 0:
        free_one()
    most = in_use


def held():
    """How many bytes are in use, how many are idle, and how many were in use at most at one time."""
    return in_use, idle, most
