"""What students write: each script of `scripts/` runs with `torch` and, its imports changed, with minigrad. It prints
the same text and leaves the same variables behind: numbers, tensors, their gradients, networks.

So that it can, minigrad draws PyTorch's random numbers here; the rest of what it takes is in `alike`.
"""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import minigrad

from .replay import same, torch

pytestmark = pytest.mark.oracle

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))
OWN = ("__name__", "__builtins__", "__doc__", "device", "folder")  # what differs, as it may
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?|-?\binf\b|\bnan\b")


class Numbers:
    """Draws from a generator of PyTorch's, in the place of NumPy's."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def random(self, shape: Any) -> np.ndarray:
        return torch.rand(shape, generator=self.generator).numpy()

    def standard_normal(self, shape: Any) -> np.ndarray:
        return torch.randn(shape, generator=self.generator).numpy()

    def integers(self, low: int, high: int, shape: Any) -> np.ndarray:
        return torch.randint(low, high, shape, generator=self.generator).numpy()

    def permutation(self, n: int) -> np.ndarray:
        return torch.randperm(n, generator=self.generator).numpy()


@pytest.fixture
def alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both draw the same random numbers for the same purpose."""
    F, data = torch.nn.functional, torch.utils.data

    def seeded(self: minigrad.Generator, seed: int) -> minigrad.Generator:
        self._source = Numbers(seed)
        return self

    def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        return input * (torch.rand(input.shape) >= p) * (1 / (1 - p)) if training else input

    def start(self: Any, loader: Any) -> None:
        state = torch.get_rng_state()  # a seed for workers is drawn, who are not there
        begin(self, loader)
        torch.set_rng_state(state)

    def shuffled(self: Any) -> Iterator[int]:
        return iter(torch.randperm(len(self.data_source), generator=self.generator).tolist())

    begin = data.dataloader._BaseDataLoaderIter.__init__
    monkeypatch.setattr(minigrad.Generator, "manual_seed", seeded)
    monkeypatch.setattr(F, "dropout", dropout)
    monkeypatch.setattr(data.dataloader._BaseDataLoaderIter, "__init__", start)
    monkeypatch.setattr(data.RandomSampler, "__iter__", shuffled)


def run(path: Path, m: ModuleType) -> dict[str, Any]:
    """What the script prints and leaves behind."""
    source = path.read_text(encoding="utf-8")
    if m is minigrad:
        source = re.sub(r"^import torch$", "import minigrad as torch", source, flags=re.MULTILINE)
        source = re.sub(r"^(from|import) torch\b", r"\1 minigrad", source, flags=re.MULTILINE)
    m.manual_seed(0)
    namespace: dict[str, Any] = {"__name__": path.stem}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(source, path, "exec"), namespace)
    variables = {name: remains(m, value) for name, value in namespace.items() if name not in OWN}
    return {"printed": printed.getvalue(), **{name: value for name, value in variables.items() if value is not None}}


def remains(m: ModuleType, value: Any) -> Any:
    """What is to be the same of a variable; None if nothing is."""
    if isinstance(value, m.nn.Module):
        return {"repr": repr(value), "state": dict(value.state_dict()),
                "gradients": [parameter.grad for parameter in value.parameters()]}
    if isinstance(value, m.Tensor):
        return [value, value.grad if value.is_leaf else None]
    if isinstance(value, m.optim.Optimizer):
        return [group["lr"] for group in value.param_groups]
    if isinstance(value, dict):
        return {key: remains(m, member) for key, member in value.items()}
    if type(value) in (list, tuple, torch.Size):
        return [remains(m, member) for member in value]
    return value if isinstance(value, (bool, int, float, str, np.ndarray)) else None


def same_text(ours: str, theirs: str) -> None:
    """The words are equal, the numbers up to rounding."""
    ours, theirs = " ".join(ours.split()), " ".join(theirs.split())
    theirs = re.sub(r"torch\.Size\(\[(\d*)\]\)", lambda size: f"({size[1]},)" if size[1] else "()", theirs)
    theirs = re.sub(r"torch\.Size\(\[(.*?)\]\)", r"(\1)", theirs)
    theirs = re.sub(r"grad_fn=<\w+>", "grad_fn", theirs).replace("torch.", "")
    ours = re.sub(r"creator=<\w+>", "grad_fn", ours).replace(", device='opencl'", "")
    assert NUMBER.sub("#", ours) == NUMBER.sub("#", theirs)
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (ours, theirs)]
    assert numbers[0] == pytest.approx(numbers[1], rel=2e-3, abs=2e-4, nan_ok=True)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("device", ["cpu", "opencl"], indirect=True)
@pytest.mark.usefixtures("alike")
def test_a_script_does_the_same(device: str, path: Path) -> None:
    theirs = run(path, torch)
    ours = run(path, minigrad)
    same_text(ours.pop("printed"), theirs.pop("printed"))
    same(ours, theirs)
