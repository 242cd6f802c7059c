/* The kernels that are compiled for each instruction set (instructions.h). */
#include "tile.h"
#ifdef WINOGRAD
#include "winograd.h"
#endif
#ifdef PRODUCTS
#include "products.h"
#endif
#ifdef FUNCTIONS
#include "functions.h"
#endif

#undef LANES
#undef INLINE
#undef UNROLL
#undef KEEP
#undef VECTOR
#undef ROWS
#undef MOST
