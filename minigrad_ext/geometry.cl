// The convolution and its two gradients: what they are. Compiled per dtype (-D real=float or double), in front of
// conv2d.cl or tiles.cl, which compute them fast. With
//
//     h = i * row_stride - row_padding + u * row_dilation
//     k = j * column_stride - column_padding + v * column_dilation
//
// and c counted within the group of o, weight w[o,c,u,v] joins element [n,c,h,k] of the image x to element [n,o,i,j] of
// the output y. Each map is a sum over all that is joined; what falls outside the image is skipped.

// ConvGeometry as ints in this order (backends/opencl.py). `channels` is that of w: in_channels / groups.
typedef struct {
    int batch, in_channels, height, width;
    int out_channels, channels, kernel_height, kernel_width;
    int out_height, out_width;
    int row_stride, column_stride, row_padding, column_padding, row_dilation, column_dilation, groups;
    int row_step, column_step;   // of the taps, every so many meet the same h or k: stride / gcd(stride, dilation)
    int row_shift, column_shift; // each so many i or j before the last one: dilation / gcd(stride, dilation)
} Geometry;

// The kernels read 0 where they reach outside the image. That adds nothing, unless the weight is infinite or NaN:
// 0 * w is NaN then, and so is the sum. So a sum that is NaN, and only such a one, is done again as defined here.

// y[n,o,i,j] = sum over c from begin to before end, u and v, of x[n,c,h,k] * w[o,c,u,v]
real conv2d_element(
    const Geometry *g, global const real *x, global const real *w,
    const int n, const int o, const int i, const int j, const int begin, const int end)
{
    const int first = o / (g->out_channels / g->groups) * g->channels; // channel of x that is the group's c = 0
    real y = 0;
    for (int c = begin; c < end; c++)
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

// x[n,c,h,k] = sum over o from begin to before end, i, j, u and v that meet (h, k), of y[n,o,i,j] * w[o,c,u,v]
real conv2d_input_grad_element(
    const Geometry *g, global const real *y, global const real *w,
    const int n, const int c, const int h, const int k, const int begin, const int end)
{
    real x = 0;
    for (int o = begin; o < end; o++)
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

// The first of `taps` taps that meets a place of x, where `at` is its h + row_padding (or k + column_padding): the
// first u for which at - u * dilation = i * stride for some whole number i; `taps` if there is none.
int first_tap(const int at, const int stride, const int dilation, const int taps)
{
    int u = 0;
    while (u < taps && (at - u * dilation) % stride != 0)
        u++;
    return u;
}
