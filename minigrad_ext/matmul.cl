// Batched matrix product for processors, compiled per dtype (-D real=...); GPUs have that of tiles.cl.
//
// A work-item computes a block of BLOCK rows, so that an element of y that is read serves them all, by a strip of STRIP
// neighbouring columns, which fill vector registers.

// z[n,i,j] = sum over k of x[n,i,k] * y[n,k,j], for i < rows, j < columns, k < length.
// This work-item owns z[n, i..i+BLOCK-1, j..j+STRIP-1].
kernel void matmul(
    const int rows, const int columns, const int length, global const real *restrict x, global const real *restrict y,
    global real *restrict z)
{
    const int j = get_global_id(0) * STRIP, i = get_global_id(1) * BLOCK, n = get_global_id(2);
    if (j >= columns || i >= rows)
        return;
    const int height = min(BLOCK, rows - i), width = min(STRIP, columns - j);
    x += (n * rows + i) * length;
    y += n * length * columns + j;
    z += (n * rows + i) * columns + j;

    int at[BLOCK]; // row i + b of x begins there. The last row stands in for those past it, whose sums are dropped
    for (int b = 0; b < BLOCK; b++)
        at[b] = min(b, height - 1) * length;

    real total[BLOCK][STRIP] = {{0}};
    for (int k = 0; k < length; k++) {
        global const real *row = y + k * columns;
        real strip[STRIP];
        if (width == STRIP) {
            #pragma unroll
            for (int s = 0; s < STRIP; s++)
                strip[s] = row[s];
        } else {
            for (int s = 0; s < STRIP; s++)
                strip[s] = s < width ? row[s] : 0;
        }
        #pragma unroll
        for (int b = 0; b < BLOCK; b++) {
            #pragma unroll
            for (int s = 0; s < STRIP; s++)
                total[b][s] += x[at[b] + k] * strip[s];
        }
    }
    for (int b = 0; b < height; b++)
        for (int s = 0; s < width; s++)
            z[b * columns + s] = total[b][s];
}
