"""Random states and copies behave as PyTorch's do, and memory is shared with PyTorch by DLPack, both ways."""

import copy
import pickle

import numpy as np
import pytest

import minigrad

from .replay import replayed, same, torch

pytestmark = pytest.mark.oracle


# --- random states -------------------------------------------------------------------------------------------


@replayed
def test_the_same_seed_and_the_same_state_give_the_same_numbers(m):
    def draw(**options):
        return [
            m.rand(2, **options), m.randn(3, **options), m.randint(9, (4,), **options), m.randperm(5, **options),
            m.normal(0, 1, (3,), **options), m.normal(m.zeros(3), **options),
        ]  # fmt: skip

    def equal(first, second):
        return all(m.equal(x, y) for x, y in zip(first, second, strict=True))

    m.manual_seed(3)
    first, state, then = draw(), m.get_rng_state(), draw()
    m.set_rng_state(new_state=state)
    seen = [equal(draw(), then), equal(then, first), state.dtype, state.dim()]
    m.manual_seed(seed=3)
    seen.append(equal(draw(), first))

    own, shared = m.Generator().manual_seed(3), m.get_rng_state()
    seen.append(equal(draw(generator=own), draw(generator=m.Generator().manual_seed(3))))
    state, then = own.get_state(), draw(generator=own)
    own.set_state(state)
    seen += [equal(draw(generator=own), then), m.equal(m.get_rng_state(), shared)]
    kept = shared.clone()
    draw()
    return [*seen, m.equal(kept, shared), m.equal(m.get_rng_state(), shared)]


@replayed
def test_manual_seed_returns_the_shared_generator(m):
    generator = m.manual_seed(0)
    first = m.rand(3)
    return [isinstance(generator, m.Generator), m.equal(m.rand(3, generator=m.manual_seed(0)), first)]


@replayed
def test_negative_seeds_count_from_the_top(m):
    draws = [m.rand(3, generator=m.Generator().manual_seed(seed)) for seed in (-1, 2**64 - 1, 2**63, -(2**63))]
    return [m.equal(*draws[:2]), m.equal(*draws[2:]), m.equal(*draws[1:3])]


# --- copies --------------------------------------------------------------------------------------------------


@replayed
def test_copies_share_memory_deep_copies_do_not(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    shallow, deep, unpickled = copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))
    with m.no_grad():
        x[0] = 10
    deep.grad[0] = 100
    return [shallow, deep, unpickled, shallow.grad, deep.grad, x.grad]


@replayed
def test_a_deep_copy_keeps_what_is_shared(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    model = m.nn.Sequential(m.nn.Linear(2, 2), m.nn.Linear(2, 2))
    model[1].weight = model[0].weight
    twins, twin = copy.deepcopy([x, x]), copy.deepcopy(model)
    return [twins[0] is twins[1], twins[0] is x, twin[1].weight is twin[0].weight, len(list(twin.parameters()))]


# --- DLPack --------------------------------------------------------------------------------------------------

ARRAYS = {
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "float64": np.arange(6, dtype=np.float64),
    "int32": np.arange(6, dtype=np.int32),
    "int64": np.arange(6),
    "uint8": np.arange(6, dtype=np.uint8),
    "bool": np.array([True, False]),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "with gaps": np.arange(24.0).reshape(4, 6)[::2, 1::2],
    "without axes": np.array(3.0),
    "empty": np.zeros((0, 3)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_pytorch_takes_our_memory(name: str) -> None:
    ours = minigrad.as_tensor(ARRAYS[name].copy(), device="cpu")
    theirs = torch.from_dlpack(ours)
    same(ours, theirs)
    if ours.numel():
        theirs.zero_()
        assert not ours.numpy().any()
        ours[...] = 1
        assert theirs.all()


@pytest.mark.parametrize("name", ARRAYS)
def test_we_take_the_memory_of_pytorch(name: str) -> None:
    theirs = torch.from_numpy(ARRAYS[name].copy())
    ours = minigrad.from_dlpack(theirs)
    same(ours, theirs)
    assert ours.device.name == "cpu"
    if ours.numel():
        ours.zero_()
        assert not theirs.any()
        theirs.fill_(1)
        assert ours.numpy().all()


@replayed
def test_arrays_of_numpy_share_their_memory(m):
    array = np.arange(6.0).reshape(2, 3)
    x, turned = m.from_numpy(array), m.from_numpy(array.T)
    x[0, 0], array[1] = 7.0, -1.0
    dtypes = [m.from_numpy(np.zeros(2, dtype)).dtype for dtype in ("f4", "f8", "i4", "i8", "u1", "?")]
    return [x, turned, array, np.asarray(x), np.shares_memory(x.numpy(), array), dtypes]


@replayed
def test_arrays_of_numpy_come_by_dlpack(m):
    array = np.arange(6.0).reshape(2, 3)
    x = m.from_dlpack(array.T)
    array[0, 1] = 10
    return [x, m.from_dlpack(ext_tensor=x)]


@replayed
def test_a_graph_does_not_leave_by_dlpack(m):
    x = m.tensor([1.0], requires_grad=True)
    with pytest.raises(BufferError):
        x.__dlpack__()
    with pytest.raises((TypeError, RuntimeError)):
        m.from_dlpack([1.0])


def test_a_tensor_of_pytorch_that_requires_grad_stays_there() -> None:
    with pytest.raises(BufferError, match="require gradient"):
        minigrad.from_dlpack(torch.ones(2, requires_grad=True))


def test_gradients_of_pytorch_through_shared_memory() -> None:
    """A weight learned there is read here, without a copy."""
    weight = torch.ones(2, 3)
    layer = minigrad.nn.Linear(3, 2, bias=False, device="cpu")
    layer.weight.data = minigrad.from_dlpack(weight)
    weight.mul_(2)
    assert layer(minigrad.ones(3, device="cpu")).tolist() == [6.0, 6.0]
