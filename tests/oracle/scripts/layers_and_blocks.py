"""Modules of one's own: nesting, parameters and how to find and share them, lazy layers, custom layers, files."""

import os
import tempfile

import torch
from torch import nn
from torch.nn import functional as F


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(20, 32)
        self.output = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(F.relu(self.hidden(x)))


class MySequential(nn.Module):
    def __init__(self, *args):
        super().__init__()
        for idx, module in enumerate(args):
            self.add_module(str(idx), module)

    def forward(self, X):
        for module in self.children():
            X = module(X)
        return X


class FixedHiddenMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.rand_weight = torch.rand((20, 20), requires_grad=False)
        self.linear = nn.Linear(20, 20)

    def forward(self, X):
        X = self.linear(X)
        X = F.relu(torch.mm(X, self.rand_weight) + 1)
        X = self.linear(X)
        while X.abs().sum() > 1:
            X /= 2
        return X.sum()


class NestMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.linear = nn.Linear(32, 16)
        self._extra = [nn.Linear(1, 1)]

    def forward(self, X):
        return self.linear(self.net(X))


X = torch.rand(2, 20)
chimera = nn.Sequential(NestMLP(), nn.Linear(16, 20), FixedHiddenMLP())
print(MLP()(X).shape, MySequential(nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, 2))(X).shape)
print(chimera(X).item())
print(chimera)

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
print(dict(net[2].state_dict()), type(net[2].bias).__name__, net[2].bias, net[2].bias.data, net[2].weight.grad is None)
print(*[(name, param.shape) for name, param in net[0].named_parameters()])
print(*[(name, param.shape) for name, param in net.named_parameters()])
print(net.state_dict()["2.bias"].data, sum(p.numel() for p in net.parameters() if p.requires_grad))


def block(i):
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU())


rgnet = nn.Sequential()
for i in range(2):
    rgnet.add_module(f"block {i}", block(i))
print(rgnet, rgnet[1][0].bias.data)


def init_xavier(m):
    if type(m) == nn.Linear:
        nn.init.xavier_uniform_(m.weight)


def init_42(m):
    if type(m) == nn.Linear:
        nn.init.constant_(m.weight, 42)


def my_init(m):
    if type(m) == nn.Linear:
        nn.init.uniform_(m.weight, -10, 10)
        m.weight.data *= m.weight.data.abs() >= 5


net[0].apply(init_xavier)
net[2].apply(init_42)
rgnet.apply(my_init)
net[0].weight.data[:] += 1
net[0].weight.data[0, 0] = 42
print(net[0].weight.data[0])

shared = nn.Linear(8, 8)
tied = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(8, 1))
tied[2].weight.data[0, 0] = 100
print(tied[2].weight.data[0] == tied[4].weight.data[0], len(list(tied.parameters())))

lazy = nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.LazyLinear(2))
print(lazy[0].weight)
torch.manual_seed(1)
lazy(X)
print(lazy[0].weight.shape, lazy)


class CenteredLayer(nn.Module):
    def forward(self, X):
        return X - X.mean()


class MyLinear(nn.Module):
    def __init__(self, in_units, units):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(in_units, units))
        self.bias = nn.Parameter(torch.randn(units,))

    def forward(self, X):
        linear = torch.matmul(X, self.weight.data) + self.bias.data
        return F.relu(linear)


centered = nn.Sequential(nn.Linear(20, 8), CenteredLayer())(X).mean()
custom = nn.Sequential(MyLinear(20, 8), MyLinear(8, 1))(X)
print(CenteredLayer()(torch.tensor([1.0, 2, 3, 4, 5])))

with tempfile.TemporaryDirectory() as folder:
    torch.save(X, os.path.join(folder, "x-file"))
    X2 = torch.load(os.path.join(folder, "x-file"))
    y = torch.zeros(4)
    torch.save([X, y], folder + "/x-files")
    x2, y2 = torch.load(folder + "/x-files")
    torch.save({"x": X, "y": y}, folder + "/mydict")
    mydict2 = torch.load(folder + "/mydict")
    model = MLP()
    torch.save(model.state_dict(), folder + "/mlp.params")
    clone = MLP()
    clone.load_state_dict(torch.load(folder + "/mlp.params", weights_only=True))
    clone.eval()
    print((clone(X) == model(X)).all())
