"""Training that was stopped, saved and taken up again ends with the very weights of training that never stopped."""

import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad import nn, optim
from minigrad.utils.data import DataLoader, TensorDataset, random_split


class Training:
    """A small network with everything that has a state: momenta, running means, a schedule, dropout, shuffled data."""

    def __init__(self, kind: str) -> None:
        minigrad.manual_seed(1)
        x = minigrad.randn(50, 1, 6, 6)
        data = TensorDataset(x, (x.sum((1, 2, 3)) > 0).long())
        train, _ = random_split(data, [0.8, 0.2], generator=minigrad.Generator().manual_seed(0))
        self.loader = DataLoader(train, batch_size=16, shuffle=True)
        body = [nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        self.net = nn.Sequential(*body, nn.Dropout(0.3), nn.Linear(12, 2))
        groups = [{"params": self.net[:3].parameters(), "lr": 0.05}, {"params": self.net[3:].parameters()}]
        self.optimizer: optim.Optimizer = (
            optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True) if kind == "SGD" else optim.AdamW(groups, lr=0.01)
        )
        self.schedule = optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 5)
        self.epoch, self.losses = 0, []

    def run(self, epochs: int) -> "Training":
        while self.epoch < epochs:
            for x, y in self.loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.net(x), y)
                loss.backward()
                nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
                self.optimizer.step()
                self.losses.append(loss.item())
            self.schedule.step()
            self.epoch += 1
        return self

    def save(self, path: Path) -> None:
        parts = {name: getattr(self, name).state_dict() for name in ("net", "optimizer", "schedule")}
        own = {"epoch": self.epoch, "losses": self.losses, "rng": minigrad.get_rng_state()}
        minigrad.save({**parts, **own}, path)

    def load(self, path: Path) -> "Training":
        state = minigrad.load(path, minigrad.get_default_device())
        for name in ("net", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch, self.losses = state["epoch"], state["losses"]
        minigrad.set_rng_state(state["rng"])
        return self

    def bits(self) -> list:
        return [(name, value.numpy().tobytes()) for name, value in self.net.state_dict().items()] + [self.losses]


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_resumed_training_ends_with_the_same_bits(kind: str, device: str, tmp_path: Path) -> None:
    if device == "reference":
        pytest.skip("its loops would take a minute; the numbers are NumPy's as on the CPU")
    whole = Training(kind).run(4)
    stopped = Training(kind).run(2)
    stopped.save(tmp_path / "checkpoint")
    assert Training(kind).load(tmp_path / "checkpoint").run(4).bits() == whole.bits()
    assert whole.losses[-1] < whole.losses[0]


def test_also_in_another_process(tmp_path: Path) -> None:
    Training("AdamW").run(1).save(tmp_path / "checkpoint")
    program = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]; from test_resume import *\n"
        f"Training('AdamW').load(Path({str(tmp_path / 'checkpoint')!r})).run(2).save(Path({str(tmp_path / 'end')!r}))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(minigrad.__file__).parent.parent)
    assert Training("AdamW").load(tmp_path / "end").bits() == Training("AdamW").run(2).bits()
