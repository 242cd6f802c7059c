"""Whether examples are to run on OpenCL here: the exit status is 0 if so, else it is 1, and the reason is printed.

They must where PoCL comes along, with the extra `opencl`, unless its compiler is older than the processor.
"""

import platform
import sys

import minigrad

try:
    minigrad.get_backend("opencl")
except RuntimeError as error:
    print(error)
    pocl_is_there = sys.platform == "linux" and platform.machine() == "x86_64"
    sys.exit(not pocl_is_there or "does not know this processor" in str(error))
