// The convolution and its two gradients for GPUs: geometry.cl, which defines them, and tiles.cl, which explains how
// they are computed here, stand in front.

// Tiles of y[share, :]: a row is a channel o of the group, a place is (n, i, j). A share has `length` channels c.
kernel void conv2d(
    const Geometry g, const int length, global const real *restrict x, global const real *restrict w,
    global real *restrict y)
{
    local real left[DEPTH][PITCH] ALIGNED, right[DEPTH][PITCH] ALIGNED;
    const int outputs = g.out_channels / g.groups, blocks = (outputs + TILE - 1) / TILE;
    const int group = get_group_id(1) / blocks, first_o = get_group_id(1) % blocks * TILE;
    const int area = g.out_height * g.out_width, places = g.batch * area, first_place = get_group_id(0) * TILE;
    const int share = get_group_id(2), begin = share * length, end = min(g.channels, begin + length);
    const int plane = g.height * g.width, taps = g.kernel_height * g.kernel_width;
    const int item = get_local_id(0);

    // The place that this work-item fetches for.
    const int mine = first_place + item % TILE, n = mine / area, i = mine % area / g.out_width, j = mine % g.out_width;

    real total[OWN][OWN] = {{0}};
    for (int u = 0; u < g.kernel_height; u++)
        for (int v = 0; v < g.kernel_width; v++) {
            const int h = i * g.row_stride - g.row_padding + u * g.row_dilation;
            const int k = j * g.column_stride - g.column_padding + v * g.column_dilation;
            const bool inside = mine < places && h >= 0 && h < g.height && k >= 0 && k < g.width;
            global const real *pixel = x + (n * g.in_channels + group * g.channels) * plane + h * g.width + k;
            global const real *tap = w + (group * outputs + first_o) * g.channels * taps + u * g.kernel_width + v;
            for (int first = begin; first < end; first += DEPTH) {
                for (int e = item; e < DEPTH * TILE; e += ITEMS) {
                    const int o = e / DEPTH, c = first + e % DEPTH;
                    left[e % DEPTH][o] = first_o + o < outputs && c < end ? tap[(o * g.channels + c) * taps] : 0;
                }
                for (int t = item / TILE; t < DEPTH; t += ITEMS / TILE)
                    right[t][item % TILE] = inside && first + t < end ? pixel[(first + t) * plane] : 0;
                barrier(CLK_LOCAL_MEM_FENCE);
                add_products(total, left, right);
                barrier(CLK_LOCAL_MEM_FENCE);
            }
        }

    y += share * g.batch * g.out_channels * area;
    for (int a = 0; a < OWN; a++)
        for (int b = 0; b < OWN; b++) {
            const int row = first_o + OWN_ROW + a, place = first_place + OWN_PLACE + b;
            if (row >= outputs || place >= places)
                continue;
            const int n = place / area, i = place % area / g.out_width, j = place % g.out_width;
            const int o = group * outputs + row;
            y[(n * g.out_channels + o) * area + place % area] =
                isnan(total[a][b]) ? conv2d_element(&g, x, w, n, o, i, j, begin, end) : total[a][b];
        }
}

// Tiles of x[share, :]: a row is a channel c of the group, a place is (n, h, k), of those alone that meet the same
// taps: h and k are phase, phase + stride, phase + 2 * stride ... So no time goes into taps that do not meet. A share
// has `length` channels o of the group.
kernel void conv2d_input_grad(
    const Geometry g, const int length, global const real *restrict y, global const real *restrict w,
    global real *restrict x)
{
    local real left[DEPTH][PITCH] ALIGNED, right[DEPTH][PITCH] ALIGNED;
    const int outputs = g.out_channels / g.groups, blocks = (g.channels + TILE - 1) / TILE;
    const int group = get_group_id(1) / blocks, first_c = get_group_id(1) % blocks * TILE;
    const int row_phases = min(g.row_stride, g.height), column_phases = min(g.column_stride, g.width);
    const int phase = get_group_id(0) % (row_phases * column_phases);
    const int row_phase = phase / column_phases, column_phase = phase % column_phases;
    const int height = (g.height - 1 - row_phase) / g.row_stride + 1; // of the phase
    const int width = (g.width - 1 - column_phase) / g.column_stride + 1;
    const int places = g.batch * height * width, first_place = get_group_id(0) / (row_phases * column_phases) * TILE;
    const int share = get_group_id(2), begin = group * outputs + share * length;
    const int end = min((group + 1) * outputs, begin + length);
    const int plane = g.out_height * g.out_width, taps = g.kernel_height * g.kernel_width;
    const int item = get_local_id(0);

    // The place that this work-item fetches for, and where its first tap meets it in y.
    const int mine = first_place + item % TILE, n = mine / (height * width);
    const int h = row_phase + mine / width % height * g.row_stride, k = column_phase + mine % width * g.column_stride;
    const int first_u = first_tap(row_phase + g.row_padding, g.row_stride, g.row_dilation, g.kernel_height);
    const int first_v = first_tap(column_phase + g.column_padding, g.column_stride, g.column_dilation, g.kernel_width);
    const int first_i = (h + g.row_padding - first_u * g.row_dilation) / g.row_stride;
    const int first_j = (k + g.column_padding - first_v * g.column_dilation) / g.column_stride;

    real total[OWN][OWN] = {{0}};
    for (int u = first_u, i = first_i; u < g.kernel_height; u += g.row_step, i -= g.row_shift)
        for (int v = first_v, j = first_j; v < g.kernel_width; v += g.column_step, j -= g.column_shift) {
            const bool inside = mine < places && i >= 0 && i < g.out_height && j >= 0 && j < g.out_width;
            global const real *pixel = y + n * g.out_channels * plane + i * g.out_width + j;
            global const real *tap = w + first_c * taps + u * g.kernel_width + v;
            for (int first = begin; first < end; first += DEPTH) {
                for (int e = item; e < DEPTH * TILE; e += ITEMS) {
                    const int o = first + e / TILE, c = e % TILE;
                    left[e / TILE][c] = o < end && first_c + c < g.channels ? tap[(o * g.channels + c) * taps] : 0;
                }
                for (int t = item / TILE; t < DEPTH; t += ITEMS / TILE)
                    right[t][item % TILE] = inside && first + t < end ? pixel[(first + t) * plane] : 0;
                barrier(CLK_LOCAL_MEM_FENCE);
                add_products(total, left, right);
                barrier(CLK_LOCAL_MEM_FENCE);
            }
        }

    x += share * g.batch * g.in_channels * g.height * g.width;
    for (int a = 0; a < OWN; a++)
        for (int b = 0; b < OWN; b++) {
            const int c = first_c + OWN_ROW + a, place = first_place + OWN_PLACE + b;
            if (c >= g.channels || place >= places)
                continue;
            const int n = place / (height * width), h = row_phase + place / width % height * g.row_stride;
            const int k = column_phase + place % width * g.column_stride;
            x[((n * g.in_channels + group * g.channels + c) * g.height + h) * g.width + k] =
                isnan(total[a][b]) ? conv2d_input_grad_element(&g, y, w, n, c, h, k, begin, end) : total[a][b];
        }
}

// Tiles of w[share, :, :, u, v]: a row is a channel o of the group, a place is a channel c. A share has `length` of the
// terms (n, i, j). Outside the image both factors are fetched as 0.
kernel void conv2d_weight_grad(
    const Geometry g, const int length, global const real *restrict x, global const real *restrict y,
    global real *restrict w)
{
    local real left[DEPTH][PITCH] ALIGNED, right[DEPTH][PITCH] ALIGNED;
    const int outputs = g.out_channels / g.groups, blocks = (outputs + TILE - 1) / TILE;
    const int group = get_group_id(1) / blocks, first_o = get_group_id(1) % blocks * TILE;
    const int taps = g.kernel_height * g.kernel_width, tap = get_group_id(0) % taps;
    const int u = tap / g.kernel_width, v = tap % g.kernel_width, first_c = get_group_id(0) / taps * TILE;
    const int area = g.out_height * g.out_width, plane = g.height * g.width;
    const int share = get_group_id(2), begin = share * length, end = min(g.batch * area, begin + length);
    const int item = get_local_id(0);

    real total[OWN][OWN] = {{0}};
    for (int first = begin; first < end; first += DEPTH) {
        const int mine = first + item % DEPTH; // the term that this work-item fetches
        const int n = mine / area, i = mine % area / g.out_width, j = mine % g.out_width;
        const int h = i * g.row_stride - g.row_padding + u * g.row_dilation;
        const int k = j * g.column_stride - g.column_padding + v * g.column_dilation;
        const bool inside = mine < end && h >= 0 && h < g.height && k >= 0 && k < g.width;
        global const real *ys = y + (n * g.out_channels + group * outputs + first_o) * area + mine % area;
        global const real *xs = x + (n * g.in_channels + group * g.channels + first_c) * plane + h * g.width + k;
        for (int t = item / DEPTH; t < TILE; t += ITEMS / DEPTH) {
            left[item % DEPTH][t] = inside && first_o + t < outputs ? ys[t * area] : 0;
            right[item % DEPTH][t] = inside && first_c + t < g.channels ? xs[t * plane] : 0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        add_products(total, left, right);
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    for (int a = 0; a < OWN; a++)
        for (int b = 0; b < OWN; b++) {
            const int o = first_o + OWN_ROW + a, c = first_c + OWN_PLACE + b;
            if (o < outputs && c < g.channels)
                w[((share * g.out_channels + group * outputs + o) * g.channels + c) * taps + tap] = total[a][b];
        }
}
