"""What is said of names that PyTorch has and minigrad has not, and of calls that mean something else in PyTorch."""

import copy

import pytest

import minigrad
from minigrad import nn


@pytest.mark.parametrize(
    ("take", "said"),
    [
        (lambda: minigrad.einsum, r"minigrad has no 'einsum'. Write permute, reshape and matmul"),
        (lambda: minigrad.fft, r"minigrad has no 'fft'. docs/from_pytorch.md lists what there is"),
        (lambda: nn.LSTM, r"minigrad.nn has no 'LSTM'. Write a module of Linear layers"),
        (lambda: nn.functional.elu, r"minigrad.nn.functional has no 'elu'"),
        (lambda: minigrad.optim.RMSprop, r"minigrad.optim has no 'RMSprop'"),
        (lambda: minigrad.ones(2).normal_(), r"Tensor has no 'normal_'. Write nn.init.normal_\(x, mean, std\)"),
        (lambda: minigrad.ones(2).exp_(), r"Tensor has no 'exp_'. Write x = x.exp\(...\)"),
        (lambda: minigrad.ones(2).quantile(0.5), r"Tensor has no 'quantile'"),
        (lambda: nn.Linear(1, 1).cuda(), r"Linear has no 'cuda'. Write x.to\('opencl'\)"),
        (lambda: nn.Linear(1, 1).fc, r"Linear has no attribute 'fc'"),
    ],
)
def test_absent_names(take, said):
    with pytest.raises(AttributeError, match=said):
        take()


def test_asking_whether_a_name_exists():
    x = minigrad.ones(2)
    assert not any(hasattr(home, "einsum") for home in (minigrad, nn, nn.functional, minigrad.optim, x))
    assert copy.deepcopy(x).tolist() == copy.copy(x).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("arguments", [([1.0, 2.0],), (2, 3), ()])
def test_tensor_is_no_constructor(arguments):
    with pytest.raises(TypeError, match=r"minigrad\.tensor|missing"):
        minigrad.Tensor(*arguments)


def test_functions_are_not_applied():
    class Cube(minigrad.Function):
        @staticmethod
        def forward(context, x):
            return x**3

    with pytest.raises(TypeError, match=r"Cube.apply: write Cube\(\)\(x\)"):
        Cube.apply(minigrad.ones(2))


def test_only_inputs_is_all_there_is():
    x = minigrad.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match=r"only_inputs=False.*backward"):
        minigrad.grad((x * x).sum(), x, only_inputs=False)


def test_cuda_is_asked_for_but_not_there():
    device = minigrad.device("cuda" if minigrad.cuda.is_available() else "cpu")
    assert minigrad.ones(2).to(device).device is device
    assert str(device) == "cpu"
    with pytest.raises(ValueError, match="'cuda' is not one of"):
        minigrad.device("cuda")


def test_load_unpickles_nothing(tmp_path):
    minigrad.save([minigrad.ones(2)], tmp_path / "ones")
    (ones,) = minigrad.load(tmp_path / "ones", map_location="reference", weights_only=True)
    assert ones.device.name == "reference"
    with pytest.raises(ValueError, match="weights_only=False"):
        minigrad.load(tmp_path / "ones", weights_only=False)
