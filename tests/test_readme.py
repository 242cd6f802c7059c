"""The Python in README.md runs, and does what its comments say."""

import re
from pathlib import Path

import numpy as np
import pytest

import minigrad

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.skipif(not README.exists(), reason="the tests run outside the checkout")
def test_code_in_the_readme(device: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    np.testing.assert_allclose(names["layer"].weight.detach().numpy().ravel(), [1, -1], atol=0.01)
    assert names["slope"].item() == 12.0
    assert names["curvature"].item() == 12.0
    assert names["square"](minigrad.tensor(3.0)).item() == 9.0
