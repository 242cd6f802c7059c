// Reductions along one axis, compiled per dtype (-D real=...).
//
// An array is seen as x[outer, length, inner], row-major, and reduced along its middle axis. One launch folds that axis
// to `chunks` elements: chunk c takes every chunks-th element, c, c + chunks, c + 2 * chunks, ... The host repeats this
// until one is left. So no work-item adds up more than a few numbers (float32 stays accurate), neighbours read
// neighbours, and the order of the additions, hence every bit of the result, depends on the shape alone.

#define FIND_CHUNK                                                                               \
    const int id = get_global_id(0);                                                             \
    if (id >= size)                                                                              \
        return;                                                                                  \
    const int i = id % inner, c = id / inner % chunks, o = id / inner / chunks;

// y[o, c, i] = sum of the x[o, k, i] of chunk c; 0 if it is empty
kernel void reduce_sum(
    const int size, const int length, const int inner, const int chunks, global const real *x, global real *y)
{
    FIND_CHUNK
    real total = 0;
    for (int k = c; k < length; k += chunks)
        total += x[(o * length + k) * inner + i];
    y[id] = total;
}

// y[o, c, i] = largest x[o, k, i] of chunk c, which is not empty; NaN if there is one
kernel void reduce_max(
    const int size, const int length, const int inner, const int chunks, global const real *x, global real *y)
{
    FIND_CHUNK
    real largest = x[(o * length + c) * inner + i];
    for (int k = c + chunks; k < length; k += chunks) {
        const real element = x[(o * length + k) * inner + i];
        if (element > largest || element != element)
            largest = element;
    }
    y[id] = largest;
}

// y[o, c, i] = position k of the largest x[o, k, i] among those that chunk c of candidates[o, :, i] names; the first of
// equals, a NaN before everything. Without candidates (null) each of `count` = `length` positions stands for itself.
kernel void reduce_argmax(
    const int size, const int count, const int inner, const int chunks, const int length, global const real *x,
    global const long *candidates, global long *y)
{
    FIND_CHUNK
    long best = -1;
    real largest = 0;
    for (int position = c; position < count; position += chunks) {
        const long k = candidates ? candidates[(o * count + position) * inner + i] : position;
        const real element = x[(o * length + k) * inner + i];
        const bool equals = element == largest || (element != element && largest != largest);
        const bool larger = element > largest || (element != element && largest == largest);
        if (best < 0 || larger || (equals && k < best)) {
            best = k;
            largest = element;
        }
    }
    y[id] = best;
}

// y[places[k]] = sum of x[sources[s]] over s from starts[k] to before starts[k + 1]: additions at indices that repeat,
// sorted by destination, so that each destination has one writer and a fixed order
kernel void put_sums(
    const int size, global const int *places, global const int *starts, global const int *sources, global const real *x,
    global real *y)
{
    const int k = get_global_id(0);
    if (k >= size)
        return;
    real total = 0;
    for (int s = starts[k]; s < starts[k + 1]; s++)
        total += x[sources[s]];
    y[places[k]] = total;
}
