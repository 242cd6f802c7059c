"""Data sets, splits and loaders."""

from collections import namedtuple
from itertools import chain

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.utils.data import DataLoader, Dataset, Subset, TensorDataset, default_collate, random_split


class Squares(Dataset):
    def __init__(self, length: int = 10) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        return {"x": minigrad.tensor([float(index)]), "y": index**2, "half": index / 2, "name": str(index)}


def table(rows: int = 10) -> TensorDataset:
    return TensorDataset(minigrad.arange(rows * 2).reshape(rows, 2), minigrad.arange(rows))


def values(loader) -> list:
    return [y.tolist() for _, y in loader]


# --- data sets -----------------------------------------------------------------------------------------------


def test_tensor_dataset(device: str) -> None:
    data = table()
    assert len(data) == 10
    x, y = data[3]
    assert (x.tolist(), y.item()) == ([6, 7], 3)
    assert [y.item() for _, y in data][:3] == [0, 1, 2]  # iteration ends where indexing does


def test_subset_of_a_subset(device: str) -> None:
    inner = Subset(table(), [9, 7, 5, 3])
    outer = Subset(inner, [3, 0])
    assert len(outer) == 2
    assert [outer[k][1].item() for k in range(2)] == [3, 9]
    assert inner[[0, 1]][1].tolist() == [9, 7]
    assert values(DataLoader(outer, batch_size=2)) == [[3, 9]]


@pytest.mark.parametrize(
    ("total", "lengths", "sizes"),
    [(9, [7, 2], [7, 2]), (10, [0.7, 0.3], [7, 3]), (10, [0.25] * 4, [3, 3, 2, 2]), (5, [5, 0], [5, 0]), (1, [1], [1])],
)
def test_random_split(total: int, lengths: list, sizes: list) -> None:
    parts = random_split(range(total), lengths)
    assert [len(part) for part in parts] == sizes
    assert sorted(sample for part in parts for sample in part) == list(range(total))


def test_random_split_is_reproducible() -> None:
    def indices(seed: int) -> list:
        return random_split(range(100), [50, 50], generator=minigrad.Generator().manual_seed(seed))[0].indices

    assert indices(1) == indices(1) != indices(2)
    minigrad.manual_seed(5)
    first = random_split(range(100), [0.5, 0.5])[0].indices
    minigrad.manual_seed(5)
    assert random_split(range(100), [0.5, 0.5])[0].indices == first


# --- loaders -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False])
def test_batches_in_order(whole: bool, device: str) -> None:
    """A TensorDataset at once, and sample by sample."""
    data = table() if whole else [table()[k] for k in range(10)]
    loader = DataLoader(data, batch_size=4)
    assert len(loader) == 3
    batches = list(loader)
    assert [[part.shape for part in batch] for batch in batches] == [[(4, 2), (4,)], [(4, 2), (4,)], [(2, 2), (2,)]]
    assert isinstance(batches[0], list)
    assert values(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert batches[1][0].tolist() == [[8, 9], [10, 11], [12, 13], [14, 15]]
    shorter = DataLoader(data, batch_size=4, drop_last=True)
    assert len(shorter) == 2
    assert values(shorter) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(DataLoader(data)) == 10


def test_batches_have_memory_of_their_own(device: str) -> None:
    data = table()
    for x, y in DataLoader(data, batch_size=5):
        x.zero_()
        y.zero_()
    assert data.tensors[1].tolist() == list(range(10))


def test_shuffling_visits_every_sample_and_differs_from_pass_to_pass(device: str) -> None:
    loader = DataLoader(table(), batch_size=3, shuffle=True)
    passes = [list(chain(*values(loader))) for _ in range(3)]
    assert all(sorted(order) == list(range(10)) for order in passes)
    assert passes[0] != passes[1] != passes[2]


def test_shuffling_is_the_same_for_the_same_seed_on_every_device(device: str) -> None:
    def orders(generator: minigrad.Generator | None) -> list:
        loader = DataLoader(table(), batch_size=10, shuffle=True, generator=generator)
        return [values(loader), values(loader)]

    minigrad.manual_seed(1)
    first = orders(None)
    minigrad.manual_seed(1)
    state = minigrad.get_rng_state()
    assert orders(None) == first
    minigrad.set_rng_state(state)
    assert orders(None) == first
    own = minigrad.Generator().manual_seed(1)
    assert orders(own) == first
    minigrad.set_default_device("reference")
    assert orders(minigrad.Generator().manual_seed(1)) == first


def test_two_passes_at_once_do_not_disturb_each_other() -> None:
    loader = DataLoader(range(6), batch_size=2)
    assert [a.tolist() == b.tolist() for a, b in zip(loader, loader, strict=True)] == [True] * 3


def test_samples_are_transformed_one_by_one_by_a_subclass(device: str) -> None:
    class Noisy(TensorDataset):
        def __getitem__(self, index: int) -> tuple[Tensor, ...]:
            x, y = super().__getitem__(index)
            return x + 100, y

    assert next(iter(DataLoader(Noisy(*table().tensors), batch_size=2)))[0].tolist() == [[100, 101], [102, 103]]


def test_own_collation() -> None:
    loader = DataLoader(table(), batch_size=2, collate_fn=lambda samples: [y.item() for _, y in samples])
    assert next(iter(loader)) == [0, 1]


# --- collation -----------------------------------------------------------------------------------------------

Point = namedtuple("Point", ["x", "y"])


def test_collation(device: str) -> None:
    batch = next(iter(DataLoader(Squares(), batch_size=3)))
    assert batch["x"].tolist() == [[0.0], [1.0], [2.0]]
    assert batch["y"].tolist() == [0, 1, 4]
    assert (batch["y"].dtype, batch["half"].dtype) == (minigrad.int64, minigrad.float64)
    assert batch["name"] == ["0", "1", "2"]
    point = default_collate([Point(1, [2, True]), Point(3, [4, False])])
    assert isinstance(point, Point)
    assert (point.x.tolist(), point.y[0].tolist(), point.y[1].tolist()) == ([1, 3], [2, 4], [True, False])
    arrays = default_collate([np.ones(2, np.float32), np.zeros(2, np.float32)])
    assert (arrays.dtype, arrays.tolist()) == (minigrad.float32, [[1, 1], [0, 0]])
    assert default_collate([np.int64(3)]).tolist() == [3]


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: DataLoader(range(3), batch_size=0), ValueError, r"batch_size=0 must be a positive integer"),
        (lambda: DataLoader(range(3), batch_size=True), ValueError, r"batch_size=True must be a positive integer"),
        (lambda: DataLoader(range(3), num_workers=2), ValueError, r"num_workers=2: .* write num_workers=0"),
        (lambda: TensorDataset(), ValueError, r"TensorDataset: needs tensors .* got \[\]"),
        (lambda: TensorDataset(minigrad.ones(2), minigrad.ones(3)), ValueError, r"same number of rows, got \[2, 3\]"),
        (lambda: random_split(range(10), [5, 4]), ValueError, r"lengths=\[5, 4\] must add up to the 10 samples"),
        (lambda: random_split(range(10), [0.5, 0.4]), ValueError, r"lengths=\[0\.5, 0\.4\] must add up"),
        (lambda: random_split(range(10), [11, -1]), ValueError, r"lengths=\[11, -1\] must add up"),
        (lambda: random_split(range(10), []), ValueError, r"lengths=\[\] must add up"),
        (lambda: default_collate([object()]), TypeError, r"samples of type object; pass a collate_fn"),
        (lambda: default_collate([(1, 2), (1,)]), ValueError, r"the samples have \[2, 1\] parts each"),
        (lambda: default_collate([minigrad.ones(2), minigrad.ones(3)]), ValueError, r"stack: tensors\[1\] has shape"),
        (lambda: Dataset()[0], NotImplementedError, r"Dataset must define __getitem__"),
        (lambda: len(Dataset()), NotImplementedError, r"Dataset must define __len__"),
        (lambda: iter(DataLoader(range(3), shuffle=True, generator=1)), TypeError, r"must be a minigrad\.Generator"),
    ],
)
def test_refused(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
