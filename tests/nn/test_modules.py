"""Modules: finding parameters, moving them, their first values, and how layers print."""

import math
from collections.abc import Callable

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn


class Block(nn.Module):
    def __init__(self) -> None:
        self.scale = nn.Parameter(minigrad.ones(1))
        self.linear = nn.Linear(2, 2, bias=False)
        self.constant = minigrad.ones(2)  # a plain tensor is not learned
        self.name = "block"

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.scale + self.constant


class Net(nn.Module):
    def __init__(self) -> None:
        self.first = Block()
        self.offset = nn.Parameter(minigrad.zeros(2))
        self.rest = nn.Sequential(nn.ReLU(), Block())
        self.tied = self.first.linear  # one layer in two places
        self.nothing = None

    def forward(self, x: Tensor, times: int = 1) -> Tensor:
        return self.tied(self.rest(self.first(x))) * times + self.offset


# --- parameters ----------------------------------------------------------------------------------------------

NAMES = ["offset", "first.scale", "first.linear.weight", "rest.1.scale", "rest.1.linear.weight"]


def test_parameters_come_in_order_with_their_paths_and_once() -> None:
    net = Net()
    named = list(net.named_parameters())
    assert [name for name, _ in named] == NAMES
    assert [parameter for _, parameter in named] == list(net.parameters())
    assert dict(named)["first.linear.weight"] is net.tied.weight
    assert [name for name, _ in net.named_parameters("net")] == [f"net.{name}" for name in NAMES]


def test_children_and_modules() -> None:
    net = Net()
    assert [name for name, _ in net.named_children()] == ["first", "rest", "tied"]
    relu, block = net.rest
    assert list(net.modules()) == [net, net.first, net.tied, net.rest, relu, block, block.linear]


def test_a_parameter_set_anew_is_the_one_that_is_found() -> None:
    net = Net()
    net.offset = nn.Parameter(minigrad.ones(2))
    assert dict(net.named_parameters())["offset"] is net.offset
    net.first.linear.bias = nn.Parameter(minigrad.ones(2))
    assert "first.linear.bias" in dict(net.named_parameters())


def test_a_parameter_is_a_leaf_that_shares_the_memory_it_was_made_from(device: str) -> None:
    data = minigrad.ones(2)
    parameter = nn.Parameter(data)
    assert isinstance(parameter, Tensor)
    assert parameter.is_leaf
    assert parameter.requires_grad
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    data[0] = 5
    assert parameter.tolist() == [5.0, 1.0]
    assert type(parameter * 2) is Tensor
    result = minigrad.ones(2, requires_grad=True) * 2
    assert nn.Parameter(result).is_leaf


def test_a_network_learns_through_every_parameter(device: str) -> None:
    net = Net()
    net(minigrad.randn(3, 2), times=2).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_train_and_eval_reach_every_module() -> None:
    net = Net()
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())
    assert Net().training  # another network's mode is its own


# --- moving --------------------------------------------------------------------------------------------------


def test_moving_to_another_device_keeps_the_parameters_and_their_gradients(device: str) -> None:
    minigrad.set_default_device("reference")
    net, x = Net(), minigrad.ones(1, 2)
    before = net(x)
    before.sum().backward()
    parameters = list(net.parameters())
    gradients = [parameter.grad.tolist() for parameter in parameters]
    assert net.to(device) is net
    assert [id(parameter) for parameter in net.parameters()] == [id(parameter) for parameter in parameters]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert parameter.device.name == parameter.grad.device.name == device
        assert parameter.is_leaf
        assert parameter.requires_grad
        assert parameter.grad.tolist() == gradient
    for block in (net.first, net.rest[1]):
        block.constant = block.constant.to(device)
    np.testing.assert_allclose(net(x.to(device)).tolist(), before.tolist(), rtol=1e-6)


def test_moving_to_another_dtype(device: str) -> None:
    layer = nn.Linear(2, 1).to("float64")
    assert {parameter.dtype for parameter in layer.parameters()} == {minigrad.float64}
    layer(minigrad.ones(1, 2, dtype="float64")).sum().backward()
    assert layer.weight.grad.dtype == minigrad.float64


# --- first values --------------------------------------------------------------------------------------------

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple, tuple, int]] = {  # with shapes of weight and bias, and fan_in
    "Linear": (lambda: nn.Linear(50, 40), (40, 50), (40,), 50),
    "Conv2d": (lambda: nn.Conv2d(6, 8, (3, 5)), (8, 6, 3, 5), (8,), 6 * 15),
    "Conv2d in groups": (lambda: nn.Conv2d(6, 8, 5, groups=2), (8, 3, 5, 5), (8,), 3 * 25),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(6, 8, 4), (6, 8, 4, 4), (8,), 8 * 16),
    "ConvTranspose2d in groups": (lambda: nn.ConvTranspose2d(6, 8, 4, groups=2), (6, 4, 4, 4), (8,), 4 * 16),
}


@pytest.mark.parametrize("name", LAYERS)
def test_weights_start_uniform_over_one_by_the_root_of_fan_in(name: str, device: str) -> None:
    make, weight_shape, bias_shape, fan_in = LAYERS[name]
    layer = make()
    assert (layer.weight.shape, layer.bias.shape) == (weight_shape, bias_shape)
    bound = 1 / math.sqrt(fan_in)
    weights = layer.weight.detach().numpy()
    assert -bound <= weights.min() < -0.95 * bound
    assert 0.95 * bound < weights.max() <= bound
    assert weights.var() == pytest.approx(bound**2 / 3, rel=0.15)
    biases = layer.bias.detach().numpy()
    assert np.abs(biases).max() <= bound
    assert np.unique(biases).size == biases.size


@pytest.mark.parametrize("name", LAYERS)
def test_the_same_seed_gives_the_same_weights_on_every_device(name: str, device: str) -> None:
    first, second = ([], [])
    for values, place in ((first, device), (second, "reference")):
        minigrad.set_default_device(place)
        minigrad.manual_seed(3)
        values += [parameter.tolist() for parameter in LAYERS[name][0]().parameters()]
    assert first == second
    assert [parameter.tolist() for parameter in LAYERS[name][0]().parameters()] != first  # but not twice the same


def test_layers_live_where_they_are_told_in_the_dtype_they_are_told(device: str) -> None:
    minigrad.set_default_device("reference")
    for layer in (nn.Linear(1, 1, device=device, dtype="float64"), nn.Conv2d(1, 1, 1, device=device, dtype="float64")):
        assert {parameter.device.name for parameter in layer.parameters()} == {device}
        assert {parameter.dtype for parameter in layer.parameters()} == {minigrad.float64}


def test_init_functions_write_in_place_and_are_not_recorded(device: str) -> None:
    w = nn.Parameter(minigrad.zeros(100, 50))
    assert nn.init.uniform_(w, 2, 3) is w
    assert 2 <= w.detach().numpy().min() < 2.01 < 2.99 < w.detach().numpy().max() <= 3
    assert nn.init.kaiming_uniform_(w) is w
    bound = math.sqrt(6 / 50)
    assert 0.99 * bound < np.abs(w.detach().numpy()).max() <= bound
    assert w.is_leaf


# --- what layers compute -------------------------------------------------------------------------------------


def test_layers_are_their_functions(device: str) -> None:
    x = minigrad.randn(2, 4, 6, 5)
    conv = nn.Conv2d(4, 6, 3, stride=2, padding=1, dilation=(1, 2), groups=2)
    assert conv(x).tolist() == F.conv2d(x, conv.weight, conv.bias, 2, 1, (1, 2), 2).tolist()
    back = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, bias=False, dilation=2)
    assert back(x).tolist() == F.conv_transpose2d(x, back.weight, None, 2, 1, 1, 2, 2).tolist()
    linear = nn.Linear(5, 3)
    assert linear(x).tolist() == F.linear(x, linear.weight, linear.bias).tolist()
    for layer, function in ((nn.ReLU(), F.relu), (nn.Sigmoid(), F.sigmoid), (nn.Tanh(), F.tanh)):
        assert layer(x).tolist() == function(x).tolist()


def test_sequential(device: str) -> None:
    layers = [nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)]
    net = nn.Sequential(*layers)
    x = minigrad.randn(5, 3)
    assert net(x).tolist() == layers[2](layers[1](layers[0](x))).tolist()
    assert len(net) == 3
    assert net[0] is layers[0]
    assert net[-1] is layers[2]
    assert list(net[1:].children()) == layers[1:]
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert nn.Sequential()(x) is x


# --- repr ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (lambda: nn.ReLU(), "ReLU()"),
        (lambda: nn.Linear(2, 3), "Linear(in_features=2, out_features=3, bias=True)"),
        (
            lambda: nn.Conv2d(1, 1, (1, 2), bias=False),
            "Conv2d(1, 1, kernel_size=(1, 2), stride=(1, 1), bias=False)",
        ),
        (
            lambda: nn.Conv2d(4, 2, 3, padding="same", groups=2),
            "Conv2d(4, 2, kernel_size=(3, 3), stride=(1, 1), padding=same, groups=2)",
        ),
        (
            lambda: nn.ConvTranspose2d(4, 2, 3, stride=2, groups=2),
            "ConvTranspose2d(4, 2, kernel_size=(3, 3), stride=(2, 2), groups=2)",
        ),
        (
            lambda: nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Tanh())),
            """\
Sequential(
  (0): Linear(in_features=1, out_features=1, bias=True)
  (1): Sequential(
    (0): Tanh()
  )
)""",
        ),
    ],
)
def test_repr(module: Callable[[], nn.Module], expected: str) -> None:
    assert repr(module()) == expected


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 2, groups=2), ValueError, r"groups=2 must divide in_channels=3 and out_channels=4"),
        (lambda: nn.Conv2d(4, 3, 2, groups=2), ValueError, r"groups=2 must divide in_channels=4 and out_channels=3"),
        (lambda: nn.ConvTranspose2d(2, 2, 2, groups=0), ValueError, r"ConvTranspose2d: groups=0 must divide"),
        (lambda: nn.Conv2d(1.0, 1, 2), TypeError, r"Conv2d: in_channels, out_channels, groups: .* must be integers"),
        (lambda: nn.Linear(2, -1), ValueError, r"shape \(-1, 2\) must not have negative sizes"),
        (lambda: nn.Conv2d(1, 1, 2.0), TypeError, r"Conv2d: kernel_size=2.0 must be an int or a pair of ints"),
        (lambda: nn.Conv2d(1, 1, (1, 2, 3)), TypeError, r"Conv2d: kernel_size=\(1, 2, 3\) must be"),
        (lambda: nn.Sequential(F.relu), TypeError, r"Sequential: modules\[0\] must be a Module such as nn\.ReLU\(\)"),
        (lambda: nn.Sequential(nn.ReLU(), None), TypeError, r"Sequential: modules\[1\] must be a Module .* got None"),
        (lambda: nn.Linear(1, 1).to("int64"), TypeError, r"parameters must stay floating-point.*got int64"),
        (lambda: nn.Linear(1, 1).to("gpu"), ValueError, r"device 'gpu' is not one of"),
        (lambda: nn.Parameter([1.0]), TypeError, r"Parameter: needs a tensor, got list; .*minigrad\.tensor"),
        (lambda: nn.Parameter(minigrad.arange(2)), TypeError, r"this one is int64; convert with \.float\(\)"),
        (lambda: nn.Module()(1), NotImplementedError, r"Module must define forward"),
        (lambda: nn.init.uniform_(minigrad.ones(1), 2, 1), ValueError, r"uniform_: .*a=2 .* b=1"),
        (lambda: nn.init.kaiming_uniform_(minigrad.ones(1)), ValueError, r"at least 2 dimensions, got shape \(1,\)"),
    ],
)
def test_refused(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_failed_move_leaves_the_module_as_it_was() -> None:
    layer = nn.Linear(1, 1)
    with pytest.raises(TypeError, match="floating-point"):
        layer.to("int64")
    assert {parameter.dtype for parameter in layer.parameters()} == {minigrad.float32}
