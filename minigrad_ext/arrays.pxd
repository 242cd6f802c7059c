"""How kernels reach into arrays: a pointer, once kind, size and layout are known to be what the kernel expects.

Quicker than a memoryview, which matters for arrays of a few numbers. The caller holds the array, so the pointer stays
good until the kernel returns.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

ctypedef fused real:
    float
    double

cdef enum:
    BLOCK = 8192    # elements that a thread does in one go: they stay in its cache from one loop to the next
    ALONE = 32_768  # elements, fewer of which one thread does sooner than several


cdef inline char kind_of(object array) except 0:
    """The code of the array's dtype in the buffer protocol: 'f' is float, 'd' double, 'i' int."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
    cdef char kind = view.format[0]
    PyBuffer_Release(&view)
    return kind


cdef inline void *pointer(object array, char kind, Py_ssize_t size, int flags) except NULL:
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags)
    cdef void *memory = view.buf
    cdef bint fits = view.format[0] == kind and view.format[1] == 0 and view.len == size * view.itemsize
    PyBuffer_Release(&view)
    if not fits:
        raise ValueError(f"kernel: an array must have {size} elements of kind {chr(kind)!r}")
    return memory


cdef inline const void *reads(object array, char kind, Py_ssize_t size) except NULL:
    """Where the C-contiguous array lies, which must have so many elements of this kind."""
    return pointer(array, kind, size, 0)


cdef inline void *writes(object array, char kind, Py_ssize_t size) except NULL:
    """The same for an array that must not be read-only."""
    return pointer(array, kind, size, PyBUF_WRITABLE)


cdef inline Py_ssize_t blocks(Py_ssize_t size) noexcept nogil:
    return (size + BLOCK - 1) // BLOCK


cdef inline Py_ssize_t block_end(Py_ssize_t block, Py_ssize_t size) noexcept nogil:
    return min(size, (block + 1) * BLOCK)


cdef inline int team(Py_ssize_t size, int threads) noexcept nogil:
    """The number of threads for so many elements."""
    return threads if size >= ALONE and threads > 1 else 1
