"""Weights go from PyTorch to minigrad and back, by name and by way of safetensors, and give the same outputs."""

from pathlib import Path

import numpy as np
import pytest

import minigrad

from .replay import same, torch

safetensors = pytest.importorskip("safetensors.torch")
pytestmark = pytest.mark.oracle


def lenet(m):
    nn = m.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def resnet(m, width=8):
    """ResNet-18, of `width` instead of 64 channels: its 62 parameters and 60 buffers under their usual names."""
    nn = m.nn

    class Block(nn.Module):
        def __init__(self, channels, out_channels, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(out_channels)
            self.relu = nn.ReLU()
            self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(out_channels)
            self.downsample = None
            if stride != 1:
                convolution = nn.Conv2d(channels, out_channels, kernel_size=1, stride=stride, bias=False)
                self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(out_channels))

        def forward(self, x):
            shortcut = x if self.downsample is None else self.downsample(x)
            return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))) + shortcut)

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.relu = nn.ReLU()
            self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
            channels = width
            for k in range(1, 5):
                wide = width * 2 ** (k - 1)
                first = Block(channels, wide, 1 if k == 1 else 2)
                setattr(self, f"layer{k}", nn.Sequential(first, Block(wide, wide, 1)))
                channels = wide
            self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
            self.fc = nn.Linear(channels, 10)

        def forward(self, x):
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(self.avgpool(x).flatten(1))

    return ResNet()


NETWORKS = {"LeNet": (lenet, (4, 1, 28, 28)), "ResNet-18": (resnet, (2, 3, 64, 64))}


def trained(m, network, shape):
    """A network that has seen two batches, so that its running means are no longer what they start with."""
    net = network(m)
    optimizer = m.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for seed in range(2):
        x = m.tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))
        loss = m.nn.functional.cross_entropy(net(x), m.tensor([k % 10 for k in range(shape[0])]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def outputs(m, net, shape):
    with m.no_grad():
        return net(m.tensor(np.random.default_rng(9).standard_normal(shape).astype(np.float32)))


@pytest.fixture
def fast(device: str) -> str:
    if device == "reference":
        pytest.skip("its loops would take minutes")
    return device


@pytest.mark.parametrize("name", NETWORKS)
def test_from_pytorch(fast: str, name: str, tmp_path: Path) -> None:
    network, shape = NETWORKS[name]
    torch.manual_seed(0)
    theirs = trained(torch, network, shape)
    safetensors.save_file(theirs.state_dict(), tmp_path / "net.safetensors")
    ours = network(minigrad)
    assert ours.load_state_dict(minigrad.load(tmp_path / "net.safetensors")) == ([], [])
    same(outputs(minigrad, ours.eval(), shape), outputs(torch, theirs, shape))
    same(dict(ours.state_dict()), dict(theirs.state_dict()))


@pytest.mark.parametrize("name", NETWORKS)
def test_to_pytorch(fast: str, name: str, tmp_path: Path) -> None:
    network, shape = NETWORKS[name]
    ours = trained(minigrad, network, shape)
    minigrad.save(ours.state_dict(), tmp_path / "net.safetensors")
    theirs = network(torch)
    result = theirs.load_state_dict(safetensors.load_file(tmp_path / "net.safetensors"))
    assert list(result) == [[], []]
    same(outputs(minigrad, ours, shape), outputs(torch, theirs.eval(), shape))
    same(dict(ours.state_dict()), dict(theirs.state_dict()))


@pytest.mark.parametrize("name", NETWORKS)
def test_both_describe_and_train_it_alike(fast: str, name: str, tmp_path: Path) -> None:
    network, shape = NETWORKS[name]
    theirs, ours = network(torch), network(minigrad)
    assert repr(ours) == repr(theirs)
    safetensors.save_file(theirs.state_dict(), tmp_path / "net.safetensors")
    ours.load_state_dict(minigrad.load(tmp_path / "net.safetensors"))
    for m, net in ((minigrad, ours), (torch, theirs)):
        trained(m, lambda _, net=net: net, shape)
    for (key, x), y in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-3, atol=1e-3, err_msg=key)


def test_every_dtype_and_shape_both_ways(tmp_path: Path) -> None:
    dtypes = [getattr(torch, name) for name in ("float32", "float64", "int32", "int64", "uint8", "bool")]
    theirs = {f"{dtype}.{k}": torch.arange(k).reshape(k, 1).to(dtype) for dtype in dtypes for k in (0, 1, 5)}
    theirs |= {f"{dtype}.scalar": torch.tensor(1, dtype=dtype) for dtype in dtypes}
    safetensors.save_file(theirs, tmp_path / "theirs", metadata={"format": "pt"})
    ours = minigrad.load(tmp_path / "theirs")
    same(dict(sorted(ours.items())), dict(sorted(theirs.items())))
    minigrad.save(ours, tmp_path / "ours")
    same(ours, {key: safetensors.load_file(tmp_path / "ours")[key] for key in ours})
    with safetensors.safe_open(tmp_path / "ours", framework="pt") as file:
        assert set(file.metadata()) == {"minigrad", "minigrad.crc32"}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dtypes_that_minigrad_lacks_are_refused_by_name(dtype: str, tmp_path: Path) -> None:
    safetensors.save_file({"w": torch.ones(2, dtype=getattr(torch, dtype))}, tmp_path / "half")
    with pytest.raises(ValueError, match=r"'w' is of dtype B?F16, minigrad has float32"):
        minigrad.load(tmp_path / "half")
