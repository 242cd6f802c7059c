"""Every expression of the table has PyTorch's value, gradients and second gradients."""

import ast
from pathlib import Path

import numpy as np
import pytest

from . import cases
from .replay import replay

# PyTorch says so whenever the padding of 'same' is odd
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore:Using padding='same'")]

_tree = ast.parse(Path(cases.__file__).read_text(encoding="utf-8"))
_sources = {node.lineno: ast.unparse(node.body) for node in ast.walk(_tree) if isinstance(node, ast.Lambda)}


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: _sources[case[0].__code__.co_firstlineno])
def test_values_and_gradients_are_those_of_pytorch(device: str, case: tuple) -> None:
    expression, *arrays = case
    for dtype in (np.float64, np.float32):
        replay(expression, [array.astype(dtype) if array.dtype.kind == "f" else array for array in arrays])
