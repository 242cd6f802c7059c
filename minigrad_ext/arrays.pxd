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


cdef struct Array4:
    void *memory
    char kind            # 'f' or 'd'
    Py_ssize_t[4] shape


cdef inline Array4 array4(object array, int flags) except *:
    """A C-contiguous array of floats with four axes; with PyBUF_WRITABLE as `flags`, one that is not read-only."""
    cdef Py_buffer view
    cdef Array4 result
    cdef int axis
    PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags)
    cdef bint fits = view.ndim == 4 and view.format[0] in (c"f", c"d") and view.format[1] == 0
    if fits:
        result.memory, result.kind = view.buf, view.format[0]
        for axis in range(4):
            result.shape[axis] = view.shape[axis]
    PyBuffer_Release(&view)
    if not fits:
        raise ValueError("kernel: an array must have four axes, and be float32 or float64")
    return result


cdef inline Py_ssize_t blocks(Py_ssize_t size) noexcept nogil:
    return (size + BLOCK - 1) // BLOCK


cdef inline Py_ssize_t block_end(Py_ssize_t block, Py_ssize_t size) noexcept nogil:
    return min(size, (block + 1) * BLOCK)


cdef inline int team(Py_ssize_t size, int threads) noexcept nogil:
    """The number of threads for so many elements."""
    return threads if size >= ALONE and threads > 1 else 1
