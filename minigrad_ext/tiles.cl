// Tiles in local memory: what the kernels for GPUs share; compiled in front of matmul_tiles.cl and conv2d_tiles.cl.
//
// A GPU multiplies faster than its memory delivers, so a number that was fetched must serve many products. All those
// kernels are one matrix product,
//
//     result[row, place] = sum over terms of left[row, term] * right[term, place]
//
//                            row   terms      place
//         matmul             i     k          j
//         conv2d             o     u, v, c    n, i, j
//         conv2d_input_grad  c     u, v, o    n, h, k
//         conv2d_weight_grad o     n, i, j    c          (one product for each tap u, v)
//
// and proceed alike. A work-group, SIDE x SIDE work-items, computes a tile of the result, TILE x TILE sums, of which
// each work-item owns OWN x OWN in its registers. The group takes DEPTH terms at a time: its work-items fetch that
// slice of both factors into local memory, which they share, then each multiplies what it needs of it. A number fetched
// once is used TILE times. What is outside of anything is fetched as 0.
//
// Where a result has too few tiles to keep a GPU busy, the sum is cut into `shares`: the results of all shares lie one
// behind the other, and the host adds them up.
//
// Neighbouring work-items fetch neighbouring places (or terms): a GPU reads memory in whole lines.

#define TILE (SIDE * OWN)
#define ITEMS (SIDE * SIDE)
#define PITCH (TILE + 4) // of a slice's rows: with TILE, a column of the slice would lie in one memory bank
#define ALIGNED __attribute__((aligned(16))) // compilers then load four numbers at once: 1.5 x the speed on an H200

typedef local real (*Slice)[PITCH]; // slice[term][row or place]

// Where in the tile the sums begin that this work-item owns.
#define OWN_ROW ((int)get_local_id(0) / SIDE * OWN)
#define OWN_PLACE ((int)get_local_id(0) % SIDE * OWN)

// total[a][b] += sum over the slice's terms of left[term][row + a] * right[term][place + b]
void add_products(real total[OWN][OWN], const Slice left, const Slice right)
{
    #pragma unroll
    for (int t = 0; t < DEPTH; t++) {
        #pragma unroll
        for (int a = 0; a < OWN; a++) {
            #pragma unroll
            for (int b = 0; b < OWN; b++)
                total[a][b] += left[t][OWN_ROW + a] * right[t][OWN_PLACE + b];
        }
    }
}
