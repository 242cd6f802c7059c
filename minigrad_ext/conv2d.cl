// The convolution and its two gradients, compiled per dtype (-D real=float or double). With
//
//     h = i * row_stride - row_padding + u * row_dilation
//     k = j * column_stride - column_padding + v * column_dilation
//
// and c counted within the group of o, weight w[o,c,u,v] joins element [n,c,h,k] of the image x to element [n,o,i,j] of
// the output y. Each map is a sum over all that is joined; what falls outside the image is skipped.
//
// All three gather: a work-item owns a part of the result that nobody else writes, and adds up its terms in a fixed
// order. So there are no atomics, and the same bits every time.

// ConvGeometry as ints in this order (backends/opencl.py). `channels` is that of w: in_channels / groups.
typedef struct {
    int batch, in_channels, height, width;
    int out_channels, channels, kernel_height, kernel_width;
    int out_height, out_width;
    int row_stride, column_stride, row_padding, column_padding, row_dilation, column_dilation, groups;
} Geometry;

// A work-item computes a block of BLOCK channels, so that each element it reads serves them all, by a strip of STRIP
// neighbouring columns, which fill vector registers. Loops over both are unrolled, and the sums stay in registers.
#define BLOCK 8
#define STRIP 8

// --- the definition ------------------------------------------------------------------------------------------------

// The kernels below read 0 where a strip reaches outside the image. That adds nothing, unless the weight is infinite or
// NaN: 0 * w is NaN then, and so is the sum. So a sum that is NaN, and only such a one, is done again as defined.

// y[n,o,i,j] = sum over c, u, v of x[n,c,h,k] * w[o,c,u,v]
real conv2d_element(
    const Geometry *g, global const real *x, global const real *w, const int n, const int o, const int i, const int j)
{
    const int first = o / (g->out_channels / g->groups) * g->channels; // channel of x that is the group's c = 0
    real y = 0;
    for (int c = 0; c < g->channels; c++)
        for (int u = 0; u < g->kernel_height; u++)
            for (int v = 0; v < g->kernel_width; v++) {
                const int h = i * g->row_stride - g->row_padding + u * g->row_dilation;
                const int k = j * g->column_stride - g->column_padding + v * g->column_dilation;
                if (h >= 0 && h < g->height && k >= 0 && k < g->width)
                    y += x[((n * g->in_channels + first + c) * g->height + h) * g->width + k]
                       * w[((o * g->channels + c) * g->kernel_height + u) * g->kernel_width + v];
            }
    return y;
}

// x[n,c,h,k] = sum over o, i, j, u, v that meet (h, k) of y[n,o,i,j] * w[o,c,u,v]
real conv2d_input_grad_element(
    const Geometry *g, global const real *y, global const real *w,
    const int n, const int group, const int c, const int h, const int k)
{
    const int outputs = g->out_channels / g->groups;
    real x = 0;
    for (int o = group * outputs; o < (group + 1) * outputs; o++)
        for (int u = 0; u < g->kernel_height; u++)
            for (int v = 0; v < g->kernel_width; v++) {
                const int row = h + g->row_padding - u * g->row_dilation;          // = i * row_stride
                const int column = k + g->column_padding - v * g->column_dilation; // = j * column_stride
                const int i = row / g->row_stride, j = column / g->column_stride;
                if (row >= 0 && row % g->row_stride == 0 && i < g->out_height &&
                    column >= 0 && column % g->column_stride == 0 && j < g->out_width)
                    x += y[((n * g->out_channels + o) * g->out_height + i) * g->out_width + j]
                       * w[((o * g->channels + c) * g->kernel_height + u) * g->kernel_width + v];
            }
    return x;
}

// --- reading a strip -----------------------------------------------------------------------------------------------

// strip[s] = row[s * step]. (Where the step is known to be 1, compilers load whole vectors.)
void load_strip(real *strip, global const real *row, const int step)
{
    if (step == 1) {
        #pragma unroll
        for (int s = 0; s < STRIP; s++)
            strip[s] = row[s];
    } else {
        #pragma unroll
        for (int s = 0; s < STRIP; s++)
            strip[s] = row[s * step];
    }
}

// strip[s] = row[at + s * step], 0 outside the row
void read_strip(real *strip, global const real *row, const int size, const int at, const int step)
{
    if (at >= 0 && at + (STRIP - 1) * step < size) {
        load_strip(strip, row + at, step);
    } else {
        for (int s = 0; s < STRIP; s++) {
            const int k = at + s * step;
            strip[s] = k >= 0 && k < size ? row[k] : 0;
        }
    }
}

// strip[s] = row[(at + s) / step], 0 where that is no whole number or outside the row
void read_spread_strip(real *strip, global const real *row, const int size, const int at, const int step)
{
    if (step == 1) {
        read_strip(strip, row, size, at, 1);
    } else {
        for (int s = 0; s < STRIP; s++) {
            const int j = (at + s) / step;
            strip[s] = at + s >= 0 && (at + s) % step == 0 && j < size ? row[j] : 0;
        }
    }
}

// --- the kernels ---------------------------------------------------------------------------------------------------

// This work-item owns y[n, o..o+BLOCK-1, i, j..j+STRIP-1].
kernel void conv2d(
    const Geometry g, global const real *restrict x, global const real *restrict w, global real *restrict y)
{
    const int outputs = g.out_channels / g.groups, blocks = (outputs + BLOCK - 1) / BLOCK;
    const int strips = (g.out_width + STRIP - 1) / STRIP;
    const int i = get_global_id(0) / strips, j = get_global_id(0) % strips * STRIP;
    const int group = get_global_id(1) / blocks, first = get_global_id(1) % blocks * BLOCK;
    const int n = get_global_id(2), o = group * outputs + first;
    if (i >= g.out_height)
        return;
    const int depth = min(BLOCK, outputs - first), width = min(STRIP, g.out_width - j);

    int at[BLOCK]; // w[o + b] begins there. The last channel stands in for those past it, whose sums are dropped
    for (int b = 0; b < BLOCK; b++)
        at[b] = (o + min(b, depth - 1)) * g.channels * g.kernel_height * g.kernel_width;

    real total[BLOCK][STRIP] = {{0}};
    for (int c = 0; c < g.channels; c++)
        for (int u = 0; u < g.kernel_height; u++) {
            const int h = i * g.row_stride - g.row_padding + u * g.row_dilation;
            if (h < 0 || h >= g.height)
                continue;
            global const real *columns = x + ((n * g.in_channels + group * g.channels + c) * g.height + h) * g.width;
            for (int v = 0; v < g.kernel_width; v++) {
                real strip[STRIP];
                const int k = j * g.column_stride - g.column_padding + v * g.column_dilation;
                read_strip(strip, columns, g.width, k, g.column_stride);
                global const real *taps = w + (c * g.kernel_height + u) * g.kernel_width + v;
                #pragma unroll
                for (int b = 0; b < BLOCK; b++) {
                    #pragma unroll
                    for (int s = 0; s < STRIP; s++)
                        total[b][s] += strip[s] * taps[at[b]];
                }
            }
        }

    for (int b = 0; b < depth; b++)
        for (int s = 0; s < width; s++)
            y[((n * g.out_channels + o + b) * g.out_height + i) * g.out_width + j + s] =
                isnan(total[b][s]) ? conv2d_element(&g, x, w, n, o + b, i, j + s) : total[b][s];
}

// This work-item owns x[n, c..c+BLOCK-1, h, k..k+STRIP-1], c counted within its group.
kernel void conv2d_input_grad(
    const Geometry g, global const real *restrict y, global const real *restrict w, global real *restrict x)
{
    const int outputs = g.out_channels / g.groups, blocks = (g.channels + BLOCK - 1) / BLOCK;
    const int strips = (g.width + STRIP - 1) / STRIP;
    const int h = get_global_id(0) / strips, k = get_global_id(0) % strips * STRIP;
    const int group = get_global_id(1) / blocks, c = get_global_id(1) % blocks * BLOCK;
    const int n = get_global_id(2);
    if (h >= g.height)
        return;
    const int depth = min(BLOCK, g.channels - c), width = min(STRIP, g.width - k);

    int at[BLOCK]; // w[o, c + b] begins there, counted from w[o]
    for (int b = 0; b < BLOCK; b++)
        at[b] = (c + min(b, depth - 1)) * g.kernel_height * g.kernel_width;

    real total[BLOCK][STRIP] = {{0}};
    for (int o = group * outputs; o < (group + 1) * outputs; o++)
        for (int u = 0; u < g.kernel_height; u++) {
            const int row = h + g.row_padding - u * g.row_dilation, i = row / g.row_stride; // row = i * row_stride
            if (row < 0 || row % g.row_stride != 0 || i >= g.out_height)
                continue;
            global const real *columns = y + ((n * g.out_channels + o) * g.out_height + i) * g.out_width;
            for (int v = 0; v < g.kernel_width; v++) {
                real strip[STRIP];
                const int column = k + g.column_padding - v * g.column_dilation; // = j * column_stride
                read_spread_strip(strip, columns, g.out_width, column, g.column_stride);
                global const real *taps = w + (o * g.channels * g.kernel_height + u) * g.kernel_width + v;
                #pragma unroll
                for (int b = 0; b < BLOCK; b++) {
                    #pragma unroll
                    for (int s = 0; s < STRIP; s++)
                        total[b][s] += strip[s] * taps[at[b]];
                }
            }
        }

    for (int b = 0; b < depth; b++)
        for (int s = 0; s < width; s++)
            x[((n * g.in_channels + group * g.channels + c + b) * g.height + h) * g.width + k + s] =
                isnan(total[b][s]) ? conv2d_input_grad_element(&g, y, w, n, group, c + b, h, k + s) : total[b][s];
}

// The sum over n, i, j is cut into `shares`, each of every shares-th row (n, i) of y; the host adds the shares up.
// This work-item owns w[share, o..o+BLOCK-1, c, u, v].
kernel void conv2d_weight_grad(
    const Geometry g, const int shares, global const real *restrict x, global const real *restrict y,
    global real *restrict w)
{
    const int outputs = g.out_channels / g.groups, blocks = (outputs + BLOCK - 1) / BLOCK;
    const int taps = g.kernel_height * g.kernel_width;
    const int c = get_global_id(0) / taps, tap = get_global_id(0) % taps, share = get_global_id(1);
    const int u = tap / g.kernel_width, v = tap % g.kernel_width;
    const int group = get_global_id(2) / blocks, first = get_global_id(2) % blocks * BLOCK;
    const int o = group * outputs + first;
    if (c >= g.channels)
        return;
    const int depth = min(BLOCK, outputs - first);

    int at[BLOCK]; // y[n, o + b] begins there, counted from y[n, o]
    for (int b = 0; b < BLOCK; b++)
        at[b] = min(b, depth - 1) * g.out_height * g.out_width;

    // The columns j whose k = j * column_stride + shift lies inside the image: here nothing outside is read.
    const int shift = v * g.column_dilation - g.column_padding;
    const int begin = max(0, (g.column_stride - 1 - shift) / g.column_stride);
    const int end = shift < g.width ? min(g.out_width, (g.width - 1 - shift) / g.column_stride + 1) : 0;

    real total[BLOCK][STRIP] = {{0}}, rest[BLOCK] = {0}; // the rest: columns that do not fill a strip
    for (int row = share; row < g.batch * g.out_height; row += shares) {
        const int n = row / g.out_height, i = row % g.out_height;
        const int h = i * g.row_stride - g.row_padding + u * g.row_dilation;
        if (h < 0 || h >= g.height)
            continue;
        global const real *xs = x + ((n * g.in_channels + group * g.channels + c) * g.height + h) * g.width + shift;
        global const real *ys = y + ((n * g.out_channels + o) * g.out_height + i) * g.out_width;
        int j = begin;
        for (; j + STRIP <= end; j += STRIP) {
            real strip[STRIP];
            load_strip(strip, xs + j * g.column_stride, g.column_stride);
            #pragma unroll
            for (int b = 0; b < BLOCK; b++) {
                global const real *factors = ys + at[b] + j; // not ys[at[b] + j + s], which compilers do not vectorise
                #pragma unroll
                for (int s = 0; s < STRIP; s++)
                    total[b][s] += strip[s] * factors[s];
            }
        }
        for (; j < end; j++) {
            #pragma unroll
            for (int b = 0; b < BLOCK; b++)
                rest[b] += xs[j * g.column_stride] * ys[at[b] + j];
        }
    }
    for (int b = 0; b < depth; b++) {
        real sum = rest[b];
        for (int s = 0; s < STRIP; s++)
            sum += total[b][s];
        w[(((share * g.out_channels + o + b) * g.channels + c) * g.kernel_height + u) * g.kernel_width + v] = sum;
    }
}
