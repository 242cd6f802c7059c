"""Layers and initial values: the names, shapes and numbers of PyTorch, up to the training of a small network."""

import numpy as np
import pytest

import minigrad

from .replay import replayed, same, torch

pytestmark = pytest.mark.oracle

# Each layer with the shape of an input for it.
LAYERS = [
    (lambda m: m.nn.Linear(3, 2), (5, 3)),
    (lambda m: m.nn.Linear(in_features=3, out_features=2, bias=False, dtype=m.float64), (2, 4, 3)),
    (lambda m: m.nn.Conv2d(3, 4, 2), (2, 3, 4, 5)),
    (lambda m: m.nn.Conv2d(1, 1, (1, 2), bias=False), (1, 6, 8)),
    (lambda m: m.nn.Conv2d(2, 4, (3, 2), 2, 1, (1, 2), 2, True), (1, 2, 4, 5)),
    (lambda m: m.nn.Conv2d(2, 2, 3, padding="same"), (1, 2, 3, 4)),
    (
        lambda m: m.nn.Conv2d(
            in_channels=2, out_channels=4, kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=1, groups=2,
            dtype=m.float64,
        ),
        (1, 2, 4, 3),
    ),
    (lambda m: m.nn.ConvTranspose2d(3, 4, 2), (2, 3, 3, 2)),
    (lambda m: m.nn.ConvTranspose2d(4, 2, (3, 2), 2, 1, 1, 2, True, 1), (1, 4, 3, 2)),
    (
        lambda m: m.nn.ConvTranspose2d(
            in_channels=2, out_channels=4, kernel_size=2, stride=(2, 3), padding=(1, 0), output_padding=(0, 1),
            groups=2, bias=False, dilation=(1, 2), dtype=m.float64,
        ),
        (2, 3, 2),
    ),
    (lambda m: m.nn.ReLU(), (2, 3)),
    (lambda m: m.nn.Sigmoid(), (2, 3)),
    (lambda m: m.nn.Tanh(), (2, 3)),
    (lambda m: m.nn.Sequential(m.nn.Conv2d(3, 2, 3), m.nn.ReLU(), m.nn.Sequential(m.nn.Conv2d(2, 1, 1))), (1, 3, 4, 4)),
]  # fmt: skip


def network(m):
    """Modules within modules, parameters set before and after them, and one that is used twice."""

    class Block(m.nn.Module):
        def __init__(self, size):
            super().__init__()
            self.linear = m.nn.Linear(size, size)
            self.scale = m.nn.Parameter(m.ones(size))
            self.constant = m.ones(size)

        def forward(self, input):
            return self.linear(input) * self.scale

    class Network(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = m.nn.Sequential(Block(2), m.nn.ReLU(), Block(2))
            self.nothing = None
            self.offset = m.nn.Parameter(data=m.zeros(2), requires_grad=False)
            self.body[2].scale = self.body[0].scale

        def forward(self, input, times=1):
            return self.body(input) * times + self.offset

    return fill(m, Network())


def fill(m, module):
    """Gives the parameters, in their order, values that are the same in both libraries."""
    rng = np.random.default_rng(0)
    with m.no_grad():
        for parameter in module.parameters():
            parameter.copy_(m.tensor(rng.standard_normal(tuple(parameter.shape))))
    return module


# --- modules -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_layers_have_pytorchs_parameters_values_and_gradients(device: str, layer, shape) -> None:
    def described(m):
        module = fill(m, layer(m))
        parameters = dict(module.named_parameters())
        dtype = next((p.dtype for p in parameters.values()), m.float32)
        x = m.tensor(np.random.default_rng(1).standard_normal(shape), dtype=dtype, requires_grad=True)
        y = module(x)
        (y * y).sum().backward()
        return {"parameters": parameters, "y": y, "dx": x.grad, "gradients": [p.grad for p in parameters.values()]}

    same(described(minigrad), described(torch))


@replayed
def test_named_parameters_and_modules(m):
    net = network(m)
    return {
        "parameters": dict(net.named_parameters()),
        "prefixed": [name for name, _ in net.body.named_parameters(prefix="net")],
        "in order": list(net.parameters()),
        "children": [type(child).__name__ for child in net.children()],
        "named children": [(name, type(child).__name__) for name, child in net.body.named_children()],
        "modules": [type(module).__name__ for module in net.modules()],
        "length": len(net.body),
    }


@replayed
def test_a_module_used_twice_is_listed_once_and_called_twice(m):
    double = m.nn.Linear(1, 1, bias=False)
    with m.no_grad():
        double.weight.fill_(2.0)
    net = m.nn.Sequential(double, double)
    return [len(list(net.modules())), len(list(net.parameters())), net(m.ones(1, 1)).detach()]


@replayed
def test_sequential_is_indexed_and_sliced(m):
    net = m.nn.Sequential(m.nn.ReLU(), m.nn.Tanh(), m.nn.Sigmoid())
    with pytest.raises(IndexError):
        net[3]
    return [[type(module).__name__ for module in (net[0], net[-1], *net[1:], *net)], net[1:](m.ones(2))]


@replayed
def test_calling_training_and_resetting_a_network(m):
    net, x = network(m), m.tensor([[1.0, -2.0]])
    y = net(x, times=3)
    y.sum().backward()
    gradients = [p.grad for p in net.parameters()]
    net.zero_grad()
    modes = [net.training, net.eval() is net, [module.training for module in net.modules()]]
    modes += [net.train().body[0].training, net.train(mode=False).training]
    return [y, gradients, [p.grad for p in net.parameters()], modes]


@replayed
def test_networks_move_to_another_dtype_in_place(m):
    net, x = network(m), m.tensor([[1.0, -2.0]])
    net(x).sum().backward()
    weight = net.body[0].linear.weight
    seen = [net.to(m.float64) is net, net.body[0].linear.weight is weight, weight, weight.grad]
    return [*seen, net(x.double())]


@replayed
def test_parameters_are_leaves_of_their_own_type(m):
    data = m.ones(2)
    p = m.nn.Parameter(data)
    frozen = m.nn.Parameter(data, requires_grad=False)
    data[0] = 5.0
    return [p, p.is_leaf, isinstance(p, m.nn.Parameter), isinstance(p, m.Tensor), type(p * 2) is m.Tensor, frozen]


@replayed
def test_repr_of_modules_without_arguments(m):
    return [
        repr(m.nn.ReLU()),
        repr(m.nn.Linear(3, 2)),
        repr(m.nn.Linear(3, 2, bias=False)),
        repr(m.nn.Sequential(m.nn.Tanh(), m.nn.Sequential(m.nn.Sigmoid(), m.nn.Linear(2, 1)))),
        m.nn.Linear(3, 2).extra_repr(),
    ]


# --- initial values ------------------------------------------------------------------------------------------

QUANTILES = np.linspace(0, 1, 21)


def quantiles(tensor) -> np.ndarray:
    return np.quantile(tensor.numpy(force=True), QUANTILES)


INITIAL = {
    "uniform": lambda m: m.nn.init.uniform_(m.zeros(200, 500)),
    "uniform a b": lambda m: m.nn.init.uniform_(m.zeros(200, 500), a=-3.0, b=1.0),
    "kaiming": lambda m: m.nn.init.kaiming_uniform_(m.zeros(500, 20, 5, 2)),
    "kaiming a": lambda m: m.nn.init.kaiming_uniform_(m.zeros(500, 200), a=2.0),
    "rand": lambda m: m.rand(200, 500),
    "linear weight": lambda m: m.nn.Linear(200, 500).weight,
    "linear bias": lambda m: m.nn.Linear(1, 100_000).bias,
    "conv weight": lambda m: m.nn.Conv2d(40, 500, (5, 2), groups=2).weight,
    "conv bias": lambda m: m.nn.Conv2d(2, 100_000, (1, 2)).bias,
    "transposed weight": lambda m: m.nn.ConvTranspose2d(500, 40, (5, 2), groups=2).weight,
    "transposed bias": lambda m: m.nn.ConvTranspose2d(1, 100_000, (1, 1)).bias,
}


@pytest.mark.parametrize("name", INITIAL)
def test_initial_values_are_spread_as_pytorchs(device: str, name: str) -> None:
    """A quantile of 100,000 evenly spread numbers is off by 0.16% of their range (one sigma): 1% is six of them."""
    torch.manual_seed(0)
    ours, theirs = INITIAL[name](minigrad), INITIAL[name](torch)
    assert ours.shape == tuple(theirs.shape)
    expected = quantiles(theirs)
    np.testing.assert_allclose(quantiles(ours), expected, atol=0.01 * (expected[-1] - expected[0]))


def test_normal_numbers_are_spread_as_pytorchs(device: str) -> None:
    torch.manual_seed(0)
    inner = slice(1, -1)  # the outermost of normal numbers are not bounded
    ours, theirs = quantiles(minigrad.randn(200, 500)), quantiles(torch.randn(200, 500))
    np.testing.assert_allclose(ours[inner], theirs[inner], atol=0.03)


@replayed
def test_a_seed_starts_the_random_numbers_anew(m):
    def numbers():
        m.manual_seed(7)
        return [m.rand(3), m.randn(3), m.nn.Linear(2, 2).weight.detach()]

    first, second = numbers(), numbers()
    return [(a == b).tolist() for a, b in zip(first, second, strict=True)]


# --- learning ------------------------------------------------------------------------------------------------

def test_a_convolutional_network_learns_as_pytorchs(device: str) -> None:
    def losses(m):
        F = m.nn.functional
        net = m.nn.Sequential(
            m.nn.Conv2d(1, 3, 3, padding=1, dtype=m.float64),
            m.nn.ReLU(),
            m.nn.Conv2d(3, 4, 2, stride=2, bias=False, dtype=m.float64),
            m.nn.Tanh(),
            m.nn.ConvTranspose2d(4, 2, 2, dtype=m.float64),
        )
        head = m.nn.Linear(2 * 3 * 3, 2, dtype=m.float64)
        parameters = [*fill(m, net).parameters(), *fill(m, head).parameters()]
        optimizer = m.optim.SGD(parameters, lr=0.001, momentum=0.9, nesterov=True)
        rng, seen = np.random.default_rng(1), []
        images, targets = m.tensor(rng.standard_normal((4, 1, 4, 4))), m.tensor(rng.standard_normal((4, 2)))
        for _ in range(30):
            loss = F.mse_loss(head(net(images).flatten(1)), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        return np.array(seen)

    ours, theirs = losses(minigrad), losses(torch)
    assert theirs[-1] < 0.1 * theirs[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)
