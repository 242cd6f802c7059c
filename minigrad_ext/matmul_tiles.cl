// Batched matrix product for GPUs. tiles.cl stands in front and explains it.

// z[n,i,j] = sum over k of x[n,i,k] * y[n,k,j], for i < rows, j < columns, k < length
kernel void matmul(
    const int rows, const int columns, const int length, global const real *restrict x, global const real *restrict y,
    global real *restrict z)
{
    local real left[DEPTH][PITCH] ALIGNED, right[DEPTH][PITCH] ALIGNED;
    const int item = get_local_id(0), n = get_group_id(2);
    const int first_i = get_group_id(1) * TILE, first_j = get_group_id(0) * TILE;
    x += n * rows * length;
    y += n * length * columns;
    z += n * rows * columns;

    real total[OWN][OWN] = {{0}};
    for (int first_k = 0; first_k < length; first_k += DEPTH) {
        for (int e = item; e < DEPTH * TILE; e += ITEMS) {
            const int i = first_i + e / DEPTH, k = first_k + e % DEPTH;
            left[e % DEPTH][e / DEPTH] = i < rows && k < length ? x[i * length + k] : 0;
        }
        for (int e = item; e < DEPTH * TILE; e += ITEMS) {
            const int k = first_k + e / TILE, j = first_j + e % TILE;
            right[e / TILE][e % TILE] = k < length && j < columns ? y[k * columns + j] : 0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        add_products(total, left, right);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int a = 0; a < OWN; a++)
        for (int b = 0; b < OWN; b++) {
            const int i = first_i + OWN_ROW + a, j = first_j + OWN_PLACE + b;
            if (i < rows && j < columns)
                z[i * columns + j] = total[a][b];
        }
}
