#!/bin/sh
# Builds the extension with AddressSanitizer and UBSan into build/sanitize, beside the normal one, and runs the kernel
# tests on it: an access outside an array or an overflow ends the run with a report. Needs gcc on Linux.
# PYTHON is an interpreter that has the test requirements. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
site=build/sanitize/site

rm -rf "$site"
MINIGRAD_SANITIZE=address,undefined "$PYTHON" -m pip install --quiet --no-deps --target "$site" .

# Python frees little on its way out, so leaks are not looked for; a size that no memory holds is a MemoryError, as in
# a normal run. PYTHONMALLOC lets the sanitizer see every allocation, --capture=sys shows its reports, and -P keeps the
# checkout, with the normal build, out of the way.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc \
PYTHONPATH="$site" \
exec "$PYTHON" -P -m pytest --quiet --capture=sys -k "(cpu or winograd or pool or products) and not opencl" \
    tests/backends "$@"
