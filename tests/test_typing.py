"""A script as users write it. `make lint` checks it with mypy --strict: nothing in it needs a cast."""

from pathlib import Path

import numpy as np

import minigrad
from minigrad import Tensor, nn, optim
from minigrad.nn import functional as F
from minigrad.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, StepLR
from minigrad.utils.data import DataLoader, Dataset, TensorDataset, random_split


class Network(nn.Module):
    def __init__(self, classes: int, p: float = 0.1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.scale = nn.Parameter(minigrad.ones(4))
        self.register_buffer("seen", minigrad.zeros(1))
        self.drop = nn.Dropout(p)
        self.layers = nn.ModuleList([nn.Linear(16, 16) for _ in range(2)])
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(16, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        x = (self.drop(x) * self.scale.reshape(-1, 1, 1)).flatten(1)
        for layer in self.layers:
            x = layer(x)
        x = self.head(x)
        return x - x.logsumexp(1, keepdim=True)


class Samples(Dataset):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return minigrad.full((1, 4, 4), float(index)), index % 3


def train(model: nn.Module, loader: DataLoader) -> list[float]:
    optimizer = optim.AdamW([{"params": model.parameters(), "lr": 1e-2}], weight_decay=1e-4)
    scheduler = StepLR(optimizer, step_size=3)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    losses: list[float] = []
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        losses.append(loss.item() + norm.item())
    scheduler.step()
    return losses


@minigrad.no_grad()
def accuracy(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    right = sum(int((model(x).argmax(dim=1) == y).sum()) for x, y in loader)
    return right / len(loader.dataset)


def test_training(tmp_path: Path) -> None:
    model = Network(3).to("cpu").float()
    nn.init.kaiming_normal_(model.conv.weight, nonlinearity="relu")
    parts = random_split(Samples(), [4, 2], generator=minigrad.Generator().manual_seed(0))
    loaders = [DataLoader(part, batch_size=2, shuffle=True) for part in parts]
    assert len(train(model, loaders[0])) == 2
    assert 0 <= accuracy(model, loaders[1]) <= 1
    minigrad.save({"model": model.state_dict(), "epoch": 1}, tmp_path / "model.safetensors")
    model.load_state_dict(minigrad.load(tmp_path / "model.safetensors")["model"], strict=False)
    handle = model.register_forward_hook(lambda module, inputs, output: None)
    handle.remove()
    for name, parameter in model.named_parameters():
        assert parameter.grad is None or parameter.grad.shape == parameter.shape, name
    total: int = sum(parameter.numel() for parameter in model.apply(lambda module: None).parameters())
    momentum = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    schedules = LambdaLR(momentum, lambda epoch: 0.9**epoch), CosineAnnealingLR(momentum, T_max=10)
    for group in momentum.param_groups:
        group["lr"] *= 0.5
    rates: list[float] = schedules[0].get_last_lr()
    assert total > 0
    assert rates == [0.1]
    assert len(DataLoader(TensorDataset(minigrad.ones(3), minigrad.ones(3)), batch_size=2)) == 2


def test_tensors() -> None:
    x = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y: Tensor = 2 * x @ x.T - x / 3 + (3 - x) ** 2 + np.ones((2, 2), np.float32)
    mask: Tensor = (x > 0) & ~(x == y)
    picked: Tensor = x[mask] + x[0, :, None, ...].sum() + x[[0, 1]].mean() + x[minigrad.tensor([0])].norm()
    written: Tensor = minigrad.zeros(3)
    written[1:] = 1.0
    written += 1
    written -= 0.5 * written
    values, indices = x.max(dim=1)
    joined: Tensor = minigrad.cat([x, minigrad.where(mask, x, 0.0), x.clamp(min=0)], dim=0) + values.amax(0)
    joined = joined * indices.sum()
    rows, columns = x.shape
    size: int = x.size(0) + x.numel() + rows + columns
    number: float = x.sum().item() + float(y.sum()) + int(picked.sum())
    (slope,) = minigrad.grad((x**3).sum(), x, create_graph=True)
    (curvature,) = minigrad.autograd.grad(slope.sum(), x)
    (unused,) = minigrad.grad(y.sum(), minigrad.ones(1, requires_grad=True), allow_unused=True)
    gradient: Tensor | None = x.grad
    handle = slope.register_hook(lambda dx: dx * 2)
    handle.remove()
    moved: Tensor = x.to(minigrad.float64).to(device="cpu", dtype=minigrad.float32).double().float().cpu()
    losses: Tensor = F.cross_entropy(x, minigrad.tensor([0, 1]), reduction="none") + F.mse_loss(x, y)
    pooled, places = F.max_pool2d(x[None, None], 2, return_indices=True)
    random: Tensor = minigrad.rand(2, 3, generator=minigrad.manual_seed(0)) + minigrad.randn((2, 3))
    same: bool = minigrad.allclose(moved, x.detach()) and minigrad.equal(curvature, 6 * x)
    x.data -= 0.1
    for row in x.detach().numpy().tolist() + [[float(value) for value in row] for row in x]:
        assert len(row) == 2
    assert same
    assert gradient is None
    assert unused is None
    assert x.is_leaf
    assert size + number > 0
    assert joined.shape == (6, 2)
    assert [t.ndim for t in (losses, pooled, places, random, written)] == [1, 4, 4, 2, 1]
