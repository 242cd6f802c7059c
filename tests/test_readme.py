"""The Python in README.md runs, and does what its comments say."""

import re
from pathlib import Path

import numpy as np
import pytest

import minigrad

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.skipif(not README.exists(), reason="the tests run outside the checkout")
def test_code_in_the_readme(device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # one block saves a file
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    np.testing.assert_allclose(names["layer"].weight.detach().numpy().ravel(), [1, -1], atol=0.01)
    assert names["slope"].item() == 12.0
    assert names["curvature"].item() == 12.0
    assert names["scores"].shape == (1, 10)
    assert names["square"](minigrad.tensor(3.0)).item() == 9.0


@pytest.mark.skipif(not README.exists(), reason="the tests run outside the checkout")
def test_the_map_of_the_house_names_every_file() -> None:
    drawn = README.read_text(encoding="utf-8").partition("## The map of the house")[2].split("```")[1]
    package = Path(minigrad.__file__).parent
    for path in [path for folder in ("", "ops/", "backends/", "teaching/") for path in package.glob(f"{folder}*.py")]:
        starred = re.sub(r"_.*", "_*.py", path.name)  # opencl_*.py
        assert path.name == "__init__.py" or path.name in drawn or starred in drawn, path
    assert [name for name in re.findall(r"\b\w+\.py\b", drawn) if not list(package.rglob(name))] == []
