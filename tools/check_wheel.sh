#!/usr/bin/env bash
# Installs the wheel in a new environment and runs the sdist's tests against it, outside the checkout.
#     tools/check_wheel.sh PYTHON DIRECTORY        the interpreter to test with; where one .whl and one .tar.gz lie
set -euo pipefail

python=$1
wheel=$(realpath "$2"/*.whl)
sdist=$(realpath "$2"/*.tar.gz)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip --disable-pip-version-check --quiet install "$wheel[opencl,examples,test]"
tar -xzf "$sdist" -C "$work" --strip-components 1
cd "$work"
rm -r minigrad minigrad_ext setup.py benchmarks # what the tests import can only be the wheel's now; it brings no benchmarks
# What operations and layers compute has been tested in the checkout: the same Python, called in the same kernels, which
# tests/backends calls here once more. A wheel can lack files, or be built in another way.
venv/bin/pytest -m "not oracle and not browser" --ignore tests/ops --ignore tests/nn
