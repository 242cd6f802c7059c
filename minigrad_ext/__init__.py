"""The kernels of minigrad, in Cython and OpenCL. They compute on plain arrays; none knows what a gradient graph is."""
