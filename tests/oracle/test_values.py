"""Every expression of the table has PyTorch's value, gradients and second gradients."""

import ast
from pathlib import Path

import numpy as np
import pytest

from . import cases
from .replay import replay

pytestmark = pytest.mark.oracle

_tree = ast.parse(Path(cases.__file__).read_text(encoding="utf-8"))
_sources = {node.lineno: ast.unparse(node.body) for node in ast.walk(_tree) if isinstance(node, ast.Lambda)}


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: _sources[case[0].__code__.co_firstlineno])
def test_values_and_gradients_are_those_of_pytorch(device: str, case: tuple, dtype: type) -> None:
    expression, *arrays = case
    replay(expression, [array.astype(dtype) if array.dtype.kind == "f" else array for array in arrays])
