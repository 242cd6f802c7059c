// The convolution and its two gradients in registers, without any memory that work-items share: for processors, and on
// GPUs for the few channels that would not fill a tile (tiles.cl). geometry.cl stands in front.
//
// All three gather: a work-item owns a part of the result that nobody else writes, and adds up its terms in a fixed
// order. So there are no atomics, and the same bits every time.
//
// A work-item computes a block of BLOCK channels, so that each element it reads serves them all, by a strip of STRIP
// neighbouring columns, which fill vector registers on a processor. Loops over both are unrolled, and the sums stay in
// registers. The host chooses their sizes.

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
                isnan(total[b][s]) ? conv2d_element(&g, x, w, n, o + b, i, j + s, 0, g.channels) : total[b][s];
}

// This work-item owns x[n, c..c+BLOCK-1, h, k], c counted within its group, for STRIP columns k that lie a stride
// apart: they meet the same taps, and neighbours in y.
kernel void conv2d_input_grad(
    const Geometry g, global const real *restrict y, global const real *restrict w, global real *restrict x)
{
    const int outputs = g.out_channels / g.groups, blocks = (g.channels + BLOCK - 1) / BLOCK;
    const int phases = min(g.column_stride, g.width), columns = (g.width + phases - 1) / phases; // phase = k % stride
    const int strips = (columns + STRIP - 1) / STRIP;
    const int h = get_global_id(0) / (phases * strips), strip_of_row = get_global_id(0) % (phases * strips);
    const int k = strip_of_row / strips + strip_of_row % strips * STRIP * g.column_stride;
    const int group = get_global_id(1) / blocks, c = get_global_id(1) % blocks * BLOCK;
    const int n = get_global_id(2), begin = group * outputs, end = begin + outputs;
    if (h >= g.height)
        return;
    const int depth = min(BLOCK, g.channels - c);

    int at[BLOCK]; // w[o, c + b] begins there, counted from w[o]
    for (int b = 0; b < BLOCK; b++)
        at[b] = (c + min(b, depth - 1)) * g.kernel_height * g.kernel_width;

    const int first_u = first_tap(h + g.row_padding, g.row_stride, g.row_dilation, g.kernel_height);
    const int first_v = first_tap(k + g.column_padding, g.column_stride, g.column_dilation, g.kernel_width);
    const int first_i = (h + g.row_padding - first_u * g.row_dilation) / g.row_stride;
    const int first_j = (k + g.column_padding - first_v * g.column_dilation) / g.column_stride;
    real total[BLOCK][STRIP] = {{0}};
    for (int o = begin; o < end; o++)
        for (int u = first_u, i = first_i; u < g.kernel_height; u += g.row_step, i -= g.row_shift) {
            if (i < 0 || i >= g.out_height)
                continue;
            global const real *row = y + ((n * g.out_channels + o) * g.out_height + i) * g.out_width;
            for (int v = first_v, j = first_j; v < g.kernel_width; v += g.column_step, j -= g.column_shift) {
                real strip[STRIP];
                read_strip(strip, row, g.out_width, j, 1);
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
        for (int s = 0; s < STRIP && k + s * g.column_stride < g.width; s++) {
            const int column = k + s * g.column_stride;
            x[((n * g.in_channels + group * g.channels + c + b) * g.height + h) * g.width + column] =
                isnan(total[b][s]) ? conv2d_input_grad_element(&g, y, w, n, c + b, h, column, begin, end) : total[b][s];
        }
}

// The sum over n, i, j is cut into `shares`, each of every shares-th row (n, i) of y; the host adds the shares up.
// This work-item owns w[share, o..o+BLOCK-1, c, u, v].
kernel void conv2d_weight_grad(
    const Geometry g, const int shares, global const real *restrict x, global const real *restrict y,
    global real *restrict w)
{
    const int outputs = g.out_channels / g.groups, blocks = (outputs + BLOCK - 1) / BLOCK;
    const int taps = g.kernel_height * g.kernel_width;
    const int c = get_global_id(0) / taps, tap = get_global_id(0) % taps, share = get_global_id(2);
    const int u = tap / g.kernel_width, v = tap % g.kernel_width;
    const int group = get_global_id(1) / blocks, first = get_global_id(1) % blocks * BLOCK;
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
