/* The kernels that are compiled for each instruction set (instructions.h). */
#include "tile.h"
