// Movement: elements change place, not value. Only their size matters: compiled with -D element=uchar, int or long for
// elements of 1, 4 or 8 bytes, and with -D RUN, how many neighbours along the last axis a work-item moves.

// A strided view of an array: its element (a, b, ...) lies at offset + a * strides[0] + b * strides[1] + ...
// The host puts this struct together from ints (backends/opencl_indexing.py); rank is at least 1.
#define MAX_RANK 16
typedef struct {
    int rank, offset, sizes[MAX_RANK], strides[MAX_RANK];
} View;

// Where a row of the view begins: the rows along its last axis, counted in row-major order.
int place_of_row(int row, const View *view)
{
    int place = view->offset;
    for (int axis = view->rank - 2; axis >= 0; axis--) {
        place += row % view->sizes[axis] * view->strides[axis];
        row /= view->sizes[axis];
    }
    return place;
}

// For each k of this work-item's run: element k of its row is number `at + k`, and lies at `place + k * stride`.
#define FOR_EACH_ELEMENT_OF_RUN                                                                           \
    const int length = view.sizes[view.rank - 1], stride = view.strides[view.rank - 1];                   \
    const int runs = (length + RUN - 1) / RUN;                                                            \
    const int row = get_global_id(0) / runs, first = get_global_id(0) % runs * RUN;                       \
    if (row >= rows)                                                                                      \
        return;                                                                                           \
    const int at = row * length, place = place_of_row(row, &view), end = min(length, first + RUN);        \
    for (int k = first; k < end; k++)

// y = view of x
kernel void gather(const int rows, const View view, global const element *restrict x, global element *restrict y)
{
    FOR_EACH_ELEMENT_OF_RUN
    y[at + k] = x[place + k * stride];
}

// view of y = x
kernel void scatter(const int rows, const View view, global const element *restrict x, global element *restrict y)
{
    FOR_EACH_ELEMENT_OF_RUN
    y[place + k * stride] = x[at + k];
}

// y[k] = x[sources[k]]
kernel void gather_at(const int size, global const int *sources, global const element *x, global element *y)
{
    const int k = get_global_id(0);
    if (k < size)
        y[k] = x[sources[k]];
}

// y[places[k]] = x[sources[k]]; no place is named twice
kernel void scatter_at(
    const int size, global const int *places, global const int *sources, global const element *x, global element *y)
{
    const int k = get_global_id(0);
    if (k < size)
        y[places[k]] = x[sources[k]];
}
