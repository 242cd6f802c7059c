"""Every expression of the table has PyTorch's value, gradients and second gradients."""

import ast
import importlib
from pathlib import Path

import numpy as np
import pytest

from .replay import replay

# PyTorch says so whenever the padding of 'same' is odd, or there are too few numbers for a variance
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:Using padding='same'"),
    pytest.mark.filterwarnings(r"ignore:(var|std)\(\)"),
]

# The tables: cases.py and a file cases_<subject>.py for each further subject.
_paths = sorted(Path(__file__).parent.glob("cases*.py"))
_cases = [case for path in _paths for case in importlib.import_module(f"{__package__}.{path.stem}").CASES]
_sources = {
    (path.name, node.lineno): ast.unparse(node.body)
    for path in _paths
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.Lambda)
}


def _source(case: tuple) -> str:
    code = case[0].__code__
    return _sources[Path(code.co_filename).name, code.co_firstlineno]


@pytest.mark.parametrize("case", _cases, ids=_source)
def test_values_and_gradients_are_those_of_pytorch(device: str, case: tuple) -> None:
    expression, *arrays = case
    for dtype in (np.float64, np.float32):
        replay(expression, [array.astype(dtype) if array.dtype.kind == "f" else array for array in arrays])
