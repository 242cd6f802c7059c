"""What every module has: registration, buffers, hooks, states, containers, and layers that wait for their input."""

import copy
import inspect
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import minigrad
from minigrad import Tensor, nn, optim


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.register_buffer("scale", minigrad.full((2,), 3.0))
        self.register_buffer("calls", minigrad.tensor(0))
        self.register_buffer("scratch", minigrad.zeros(1), persistent=False)
        self.register_parameter("offset", None)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(x) * self.scale


# --- registration --------------------------------------------------------------------------------------------


def test_attributes_are_registered_by_their_kind_and_may_change_it() -> None:
    module = nn.Module()
    module.x = 1
    module.x = nn.ReLU()
    assert [name for name, _ in module.named_children()] == ["x"]
    assert "x" not in vars(module)
    module.x = None
    assert module.x is None
    assert list(module.children()) == []
    module.x = nn.Parameter(minigrad.ones(1))
    assert [name for name, _ in module.named_parameters()] == ["x"]
    module.x = None
    assert list(module.parameters()) == []
    del module.x
    with pytest.raises(AttributeError, match=r"Module has no attribute 'x'"):
        _ = module.x
    with pytest.raises(AttributeError):
        del module.x
    module.x = 2
    assert vars(module)["x"] == 2


def test_replacing_keeps_the_place() -> None:
    net = Scaled()
    net.linear.weight = nn.Parameter(minigrad.zeros(2, 2))
    assert [name for name, _ in net.named_parameters()] == ["linear.weight", "linear.bias"]
    net.offset = nn.Parameter(minigrad.zeros(2))
    assert [name for name, _ in net.named_parameters()] == ["offset", "linear.weight", "linear.bias"]


def test_a_subclass_need_not_call_the_constructor_of_module() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)
            super().__init__()  # nor does a late call forget anything

    assert len(list(Bare().parameters())) == 2


def test_the_signature_is_that_of_the_layer() -> None:
    assert list(inspect.signature(nn.Linear).parameters)[:2] == ["in_features", "out_features"]
    assert not inspect.signature(nn.Tanh).parameters


def test_dir_lists_what_is_registered() -> None:
    assert {"linear", "scale", "offset", "forward"} <= set(dir(Scaled()))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda m: setattr(m.linear, "weight", minigrad.ones(2, 2)), TypeError, r"Linear\.weight must be a Parameter"),
        (lambda m: setattr(m, "linear", 1), TypeError, r"Scaled\.linear must be a Module or None, got int"),
        (lambda m: setattr(m, "scale", 1.0), TypeError, r"Scaled\.scale must be a Tensor or None, got float"),
        (lambda m: m.register_buffer("forward", None), KeyError, r"'forward' is already that of another attribute"),
        (lambda m: m.register_buffer("linear", None), KeyError, r"'linear' is already that of another attribute"),
        (lambda m: m.register_buffer("a.b", None), KeyError, r"'a\.b' must not be empty nor contain a dot"),
        (lambda m: m.register_parameter("", None), KeyError, r"'' must not be empty"),
        (lambda m: m.register_parameter(1, None), TypeError, r"name 1 must be a string"),
        (lambda m: m.register_parameter("p", minigrad.ones(1)), TypeError, r"Scaled\.p must be a Parameter or None"),
        (lambda m: m.register_buffer("b", 1.0), TypeError, r"Scaled\.b must be a Tensor or None, got float"),
        (lambda m: m.add_module("m", 1.0), TypeError, r"Scaled\.m must be a Module or None, got float"),
        (lambda m: m.get_submodule("linear.x"), AttributeError, r"Scaled has no module 'linear\.x'"),
        (lambda m: nn.ModuleList([nn.ReLU()])[1], IndexError, r"list index out of range"),
        (lambda m: nn.ModuleList([1]), TypeError, r"ModuleList: modules\[0\] must be a Module"),
        (lambda m: nn.Sequential(nn.ReLU(), nn.ReLU())[1:].append(nn.ReLU()), KeyError, r"the name '1' is taken"),
        (lambda m: nn.Sequential({"a": 1}), TypeError, r"Sequential: modules\['a'\] must be a Module"),
        (lambda m: nn.Sequential({"a.b": nn.ReLU()}), KeyError, r"'a\.b' must not be empty nor contain a dot"),
        (lambda m: nn.ModuleList([nn.ReLU()])(1), NotImplementedError, r"ModuleList must define forward"),
    ],
)
def test_refused(change, error: type[Exception], message: str) -> None:
    module = Scaled()
    before = [name for name, _ in module.named_parameters()] + [name for name, _ in module.named_buffers()]
    with pytest.raises(error, match=message):
        change(module)
    assert [name for name, _ in module.named_parameters()] + [name for name, _ in module.named_buffers()] == before


# --- buffers, finding, changing ------------------------------------------------------------------------------


def test_buffers_are_found_moved_and_not_learned(device: str) -> None:
    minigrad.set_default_device("reference")
    net = nn.Sequential(Scaled(), Scaled())
    net[1].scale = net[0].scale
    assert [name for name, _ in net.named_buffers()] == ["0.scale", "0.calls", "0.scratch", "1.calls", "1.scratch"]
    assert [name for name, _ in net.named_buffers(recurse=False)] == []
    assert len(list(net.named_buffers(remove_duplicate=False))) == 6
    scale = net[0].scale
    assert net.double().to(device) is net
    assert net[0].scale is net[1].scale is scale
    assert (scale.dtype, scale.device.name) == (minigrad.float64, device)
    assert (net[0].calls.dtype, net[0].calls.device.name) == (minigrad.int64, device)
    net(minigrad.ones(1, 2, dtype="float64", device=device))
    assert net[0].calls.item() == 1
    assert net.float().cpu()[0].scale.dtype == minigrad.float32
    assert net.to(dtype="float64", device="reference")[0].calls.dtype == minigrad.int64
    assert net.to(minigrad.ones(1, device="cpu"))[0].calls.device.name == "cpu"


def test_finding_with_prefix_and_without_recursion() -> None:
    net = nn.Sequential(Scaled(), nn.Sequential(nn.ReLU()))
    assert [name for name, _ in net.named_modules(prefix="net")] == ["net", "net.0", "net.0.linear", "net.1", "net.1.0"]
    assert net.get_submodule("1.0") is net[1][0]
    assert net.get_submodule("") is net
    assert list(net.parameters(recurse=False)) == []
    assert len(list(net[0].linear.parameters(recurse=False))) == 2


def test_apply_reaches_the_inner_modules_first() -> None:
    seen: list[str] = []
    net = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh())
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["ReLU", "Sequential", "Tanh", "Sequential"]


def test_freezing_and_zeroing(device: str) -> None:
    net = Scaled()
    net(minigrad.ones(1, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.linear.weight.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    net.zero_grad()
    assert net.linear.weight.grad is None
    assert net.requires_grad_(False) is net
    assert not net(minigrad.ones(1, 2)).requires_grad


def test_train_reaches_modules_through_their_own_train() -> None:
    class Frozen(nn.Linear):
        def train(self, mode: bool = True) -> "Frozen":
            return super().train(False)

    net = nn.Sequential(Frozen(1, 1), nn.ReLU()).train()
    assert [module.training for module in net] == [False, True]


# --- hooks ---------------------------------------------------------------------------------------------------


def test_hooks_see_and_replace_inputs_and_outputs(device: str) -> None:
    seen = []
    relu = nn.ReLU()
    before = relu.register_forward_pre_hook(lambda module, inputs: (inputs[0] - 1,))
    again = relu.register_forward_pre_hook(lambda module, inputs: inputs[0] * 2)
    after = relu.register_forward_hook(lambda module, inputs, output: seen.append((module, inputs[0].tolist())))
    with relu.register_forward_hook(lambda module, inputs, output: output + 10):
        assert relu(minigrad.tensor([1.0, 3.0])).tolist() == [10.0, 14.0]
    assert relu(minigrad.tensor([1.0, 3.0])).tolist() == [0.0, 4.0]
    for handle in (before, again, after):
        handle.remove()
    assert relu(minigrad.tensor([1.0, 3.0])).tolist() == [1.0, 3.0]
    assert seen == [(relu, [0.0, 4.0])] * 2


def test_a_hook_may_remove_itself() -> None:
    relu, calls = nn.ReLU(), []
    handle = relu.register_forward_hook(lambda *_: (calls.append(1), handle.remove())[2:] or None)
    relu(minigrad.ones(1))
    relu(minigrad.ones(1))
    assert calls == [1]


# --- states --------------------------------------------------------------------------------------------------


def test_a_state_has_all_but_what_is_not_persistent(device: str) -> None:
    net = nn.Sequential(Scaled())
    state = net.state_dict(prefix="net.")
    assert list(state) == ["net.0.scale", "net.0.calls", "net.0.linear.weight", "net.0.linear.bias"]
    assert not any(tensor.requires_grad for tensor in state.values())
    with minigrad.no_grad():
        net[0].linear.weight.fill_(7.0)
    assert state["net.0.linear.weight"].tolist() == [[7.0, 7.0], [7.0, 7.0]]  # the same memory


def test_loading_copies_the_values(device: str) -> None:
    first, second = Scaled(), Scaled().double()
    with minigrad.no_grad():
        first.scale.fill_(5.0)
        first.calls.fill_(3)
    weight, calls = second.linear.weight, second.calls
    result = second.load_state_dict({name: value.to("reference") for name, value in first.state_dict().items()})
    assert result == ([], [])
    assert second.linear.weight is weight
    assert second.calls is calls
    assert weight.tolist() == first.linear.weight.tolist()
    assert (weight.dtype, weight.device.name, weight.requires_grad) == (minigrad.float64, device, True)
    assert second.scale.tolist() == [5.0, 5.0]
    assert calls.item() == 3
    with minigrad.no_grad():
        first.linear.weight.fill_(0.0)
    assert weight.tolist() != [[0.0, 0.0], [0.0, 0.0]]


def test_one_parameter_in_two_places_has_two_names_in_a_state() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    other = copy.deepcopy(net)
    assert other[1].weight is other[0].weight
    other.load_state_dict(net.state_dict())
    assert other[1].weight is other[0].weight


def test_all_that_is_wrong_with_a_state_is_said_at_once_and_nothing_changes() -> None:
    net = Scaled()
    before = {name: value.tolist() for name, value in net.state_dict().items()}
    state = {"calls": minigrad.tensor(9), "scale": minigrad.ones(3), "linear.weight": 1.0, "extra": minigrad.ones(1)}
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(state)
    for part in (
        "Scaled.load_state_dict: 'linear.bias' is missing; 'extra' is unexpected;",
        "'scale' has shape (3,), the module's (2,)",
        "'linear.weight' must be a tensor, got float",
        "strict=False",
    ):
        assert part in str(error.value)
    with pytest.raises(RuntimeError, match=r"'scale' has shape"):
        net.load_state_dict(state, strict=False)
    with pytest.raises(TypeError, match=r"needs a dict of tensors by name, got list"):
        net.load_state_dict([1])
    assert {name: value.tolist() for name, value in net.state_dict().items()} == before
    result = net.load_state_dict({"calls": minigrad.tensor(9), "extra": minigrad.ones(1)}, strict=False)
    assert result.missing_keys == ["scale", "linear.weight", "linear.bias"]
    assert result.unexpected_keys == ["extra"]
    assert net.calls.item() == 9


def test_modules_are_copied_and_pickled_with_all_they_have(device: str) -> None:
    net = nn.Sequential(Scaled(), nn.ReLU()).eval()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert repr(twin) == repr(net)
        assert not twin[0].training
        for ours, theirs in zip(twin.state_dict().values(), net.state_dict().values(), strict=True):
            assert ours.tolist() == theirs.tolist()
        assert twin[0].linear.weight is not net[0].linear.weight
        assert isinstance(twin[0].linear.weight, nn.Parameter)
        assert [name for name, _ in twin.named_buffers()] == [name for name, _ in net.named_buffers()]


# --- containers ----------------------------------------------------------------------------------------------


def test_sequential_with_names(device: str) -> None:
    net = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), second=nn.ReLU()))
    assert [name for name, _ in net.named_parameters()] == ["first.weight", "first.bias"]
    assert net.append(nn.Tanh()) is net
    assert list(dict(net.named_children())) == ["first", "second", "2"]
    assert list(dict(net[1:].named_children())) == ["second", "2"]
    net[-1] = nn.Sigmoid()
    assert isinstance(net.get_submodule("2"), nn.Sigmoid)
    assert len(net.extend([nn.ReLU(), nn.ReLU()])) == 5
    assert net(minigrad.ones(1, 2)).shape == (1, 3)


def test_module_list() -> None:
    layers = nn.ModuleList([nn.Linear(1, 1), nn.ReLU()])
    layers.append(nn.Tanh()).extend([nn.ReLU()])
    assert [type(layer).__name__ for layer in layers] == ["Linear", "ReLU", "Tanh", "ReLU"]
    assert len(layers) == 4
    assert layers[-2] is layers[2]
    assert isinstance(layers[1:3], nn.ModuleList)
    assert list(layers[1:3]) == [layers[1], layers[2]]
    layers[0] = nn.Linear(1, 2, bias=False)
    assert [name for name, _ in layers.named_parameters()] == ["0.weight"]


def test_repr_joins_like_neighbours_in_a_list() -> None:
    class Described(nn.Sequential):
        def extra_repr(self) -> str:
            return "one\ntwo"

    layers = nn.ModuleList([nn.ReLU(), nn.ReLU(), Described(nn.Tanh()), nn.ReLU()])
    assert repr(layers) == """\
ModuleList(
  (0-1): 2 x ReLU()
  (2): Described(
    one
    two
    (0): Tanh()
  )
  (3): ReLU()
)"""
    assert repr(nn.ModuleList()) == "ModuleList()"


# --- layers that wait for their input --------------------------------------------------------------------------


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyConv2d(3, 2, stride=2, bias=False), nn.ReLU(), nn.LazyLinear(2))


def test_lazy_layers_become_plain_ones_at_the_first_input(device: str) -> None:
    net = lazy()
    assert isinstance(net[0], nn.Conv2d)
    assert repr(net[2]) == "LazyLinear(in_features=0, out_features=2, bias=True)"
    parameters = list(net.parameters())
    optimizer = optim.SGD(parameters, lr=0.1, momentum=0.9)
    net.double()
    calls: list[int] = []
    net[2].register_forward_hook(lambda *_: calls.append(1))
    net(minigrad.ones(1, 2, 4, 4, dtype="float64")).sum().backward()
    assert [type(layer) for layer in net] == [nn.Conv2d, nn.ReLU, nn.Linear]
    assert [parameter.shape for parameter in parameters] == [(3, 2, 2, 2), (2, 2), (2,)]
    assert list(net.parameters()) == parameters
    assert {(type(p), p.dtype, p.device.name) for p in parameters} == {(nn.Parameter, minigrad.float64, device)}
    assert calls == [1]
    before = net[2].weight.tolist()
    optimizer.step()
    assert net[2].weight.tolist() != before
    assert "in_features=2" in repr(net[2])


def test_lazy_layers_start_as_plain_ones(device: str) -> None:
    minigrad.manual_seed(0)
    waiting = nn.LazyLinear(2)
    minigrad.manual_seed(1)
    waiting(minigrad.ones(1, 3))
    minigrad.manual_seed(1)
    plain = nn.Linear(3, 2)
    assert [p.tolist() for p in waiting.parameters()] == [p.tolist() for p in plain.parameters()]


def test_copies_of_lazy_layers_wait_by_themselves(device: str) -> None:
    net, x = lazy().double(), minigrad.randn(1, 2, 4, 4, dtype="float64")
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin(x).requires_grad
        assert {type(p) for p in twin.parameters()} == {nn.Parameter}
        assert {(p.dtype, p.device.name) for p in twin.parameters()} == {(minigrad.float64, device)}
    assert isinstance(net[2], nn.LazyLinear)


def test_lazy_layers_load_a_state(device: str) -> None:
    first, second, x = lazy(), lazy(), minigrad.randn(1, 2, 4, 4)
    expected = first(x)
    second.load_state_dict(first.state_dict())
    assert second(x).tolist() == expected.tolist()
    assert [type(layer) for layer in second] == [nn.Conv2d, nn.ReLU, nn.Linear]


@pytest.mark.parametrize(
    "use",
    [
        lambda net: net.state_dict(),
        lambda net: net[2].weight.shape,
        lambda net: net[2].weight + 1,
        lambda net: net[2].weight.exp(),
        lambda net: net[2].weight.numpy(force=True),
        lambda net: nn.init.zeros_(net[2].bias),
    ],
)
def test_a_parameter_without_a_shape_is_refused(use) -> None:
    net = lazy()
    with pytest.raises(RuntimeError, match=r"has no shape yet: call the network once"):
        use(net)
    assert repr(net[2].weight) == "<UninitializedParameter>"


def test_a_lazy_layer_refuses_an_input_of_too_few_dimensions() -> None:
    with pytest.raises(ValueError, match=r"LazyConv2d: input of shape \(2, 2\) must have 3 dimensions or more"):
        lazy()(minigrad.ones(2, 2))


# --- first values --------------------------------------------------------------------------------------------

INITIAL = {  # what they fill a weight (200, 40, 3, 5) with: mean, deviation and, if uniform, the bound
    "uniform_": (lambda w: nn.init.uniform_(w, -1, 3), 1.0, 4 / 12**0.5, None),
    "normal_": (lambda w: nn.init.normal_(w, 2.0, 3.0), 2.0, 3.0, None),
    "xavier_uniform_": (lambda w: nn.init.xavier_uniform_(w, 2.0), 0.0, 2 * (2 / (240 * 15)) ** 0.5, 3**0.5),
    "xavier_normal_": (lambda w: nn.init.xavier_normal_(w), 0.0, (2 / (240 * 15)) ** 0.5, None),
    "kaiming_uniform_": (lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu"), 0.0, (2 / 600) ** 0.5, 3**0.5),
    "kaiming_normal_": (lambda w: nn.init.kaiming_normal_(w, mode="fan_out"), 0.0, (2 / 3000) ** 0.5, None),
    "constant_": (lambda w: nn.init.constant_(w, 2.5), 2.5, 0.0, None),
    "ones_": (lambda w: nn.init.ones_(w), 1.0, 0.0, None),
    "zeros_": (lambda w: nn.init.zeros_(w), 0.0, 0.0, None),
}


@pytest.mark.parametrize("name", INITIAL)
def test_initial_values(name: str, device: str) -> None:
    fill, mean, deviation, bound = INITIAL[name]
    w = nn.Parameter(minigrad.full((200, 40, 3, 5), 9.0))
    assert fill(w) is w
    assert w.is_leaf
    values = w.detach().numpy()
    assert values.mean() == pytest.approx(mean, abs=0.02 * (deviation or 1))
    assert values.std() == pytest.approx(deviation, rel=0.01, abs=1e-7)
    if bound is not None:
        assert np.abs(values).max() == pytest.approx(bound * deviation, rel=1e-3)


@pytest.mark.parametrize("name", ["uniform_", "normal_", "xavier_normal_"])
def test_initial_values_of_a_generator_of_their_own(name: str, device: str) -> None:
    def filled() -> list:
        generator = minigrad.Generator().manual_seed(3)
        return getattr(nn.init, name)(minigrad.zeros(3, 4), generator=generator).tolist()

    first = filled()
    minigrad.rand(1)
    assert filled() == first


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.init.normal_(minigrad.ones(1), 0.0, -1.0), r"normal_: std=-1.0 must not be negative"),
        (lambda: nn.init.xavier_normal_(minigrad.ones(3)), r"xavier_normal_: a weight has at least 2 dimensions"),
        (lambda: nn.init.kaiming_normal_(minigrad.ones(2, 2), mode="fan"), r"kaiming_normal_: mode='fan' must be"),
        (lambda: nn.init.calculate_gain("swish"), r"calculate_gain: nonlinearity='swish' is not of linear, .*leaky"),
    ],
)
def test_bad_arguments_of_initial_values(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- clipping ------------------------------------------------------------------------------------------------


def with_gradients(*gradients: list[float]) -> list[Tensor]:
    tensors = [minigrad.zeros(len(gradient), requires_grad=True) for gradient in gradients]
    for tensor, gradient in zip(tensors, gradients, strict=True):
        tensor.grad = minigrad.tensor(gradient)
    return [*tensors, minigrad.zeros(1, requires_grad=True)]  # the last has none


def test_gradients_are_clipped_together(device: str) -> None:
    tensors = with_gradients([3.0, 0.0], [-4.0])
    grad = tensors[0].grad
    assert nn.utils.clip_grad_norm_(iter(tensors), 1.0).item() == pytest.approx(5.0)
    assert tensors[0].grad is grad
    np.testing.assert_allclose([*tensors[0].grad.tolist(), *tensors[1].grad.tolist()], [0.6, 0, -0.8], rtol=1e-6)
    assert nn.utils.clip_grad_norm_(tensors, 2.0).item() == pytest.approx(1.0)  # small enough: left as they are
    np.testing.assert_allclose(tensors[1].grad.tolist(), [-0.8], rtol=1e-5)
    assert nn.utils.clip_grad_norm_(tensors, 0.1, float("inf")).item() == pytest.approx(0.8)
    assert nn.utils.clip_grad_norm_(tensors[2:], 1.0).item() == 0.0
    assert nn.utils.clip_grad_norm_(with_gradients([3.0])[0], 1.0, norm_type=1).item() == pytest.approx(3.0)


def test_gradients_that_are_not_finite(device: str) -> None:
    tensors = with_gradients([float("nan"), 1.0])
    with pytest.raises(RuntimeError, match=r"the norm of the gradients is nan, so they cannot be scaled"):
        nn.utils.clip_grad_norm_(tensors, 1.0, error_if_nonfinite=True)
    assert tensors[0].grad[1].item() == 1.0
    nn.utils.clip_grad_norm_(tensors, 1.0)
    assert np.isnan(tensors[0].grad.tolist()).all()
    with pytest.raises(ValueError, match=r"norm_type=0 must be positive"):
        nn.utils.clip_grad_norm_(tensors, 1.0, 0)
