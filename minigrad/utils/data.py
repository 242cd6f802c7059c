"""Data sets, and loaders that make batches of them.

Shuffling and splitting draw from `generator`, or else from the numbers that minigrad.manual_seed starts; so they are
reproducible, and go on where minigrad.set_rng_state puts them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.creation import tensor
from minigrad.dtypes import float64
from minigrad.ops.index import stack
from minigrad.random import Generator, randperm
from minigrad.tensor import Tensor

Positions = npt.NDArray[np.int64]


class Dataset:
    """Samples by position: a subclass defines `__getitem__(index)` and `__len__()`."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index)")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__(self)")


class TensorDataset(Dataset):
    """Sample k is the tuple of row k of each tensor."""

    def __init__(self, *tensors: Tensor) -> None:
        lengths = [len(rows) for rows in tensors]
        if not tensors or len(set(lengths)) > 1:
            raise ValueError(f"TensorDataset: needs tensors with the same number of rows, got {lengths}.")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple([rows[index] for rows in self.tensors])

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """The samples of `dataset` at `indices`."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[[self.indices[k] for k in index] if isinstance(index, list) else self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """The samples in random order, cut into subsets of these lengths; or of fractions of the whole, which add up to 1.

    Of what rounding down to whole samples leaves over, the first subsets get one sample each.
    """
    total, sizes = len(dataset), [int(length) for length in lengths]
    if abs(sum(lengths) - 1) < 1e-9 and min(lengths) >= 0:
        sizes = [int(total * fraction) for fraction in lengths]
        for k in range(total - sum(sizes)):
            sizes[k % len(sizes)] += 1
    elif sizes != list(lengths) or sum(sizes) != total or min(sizes, default=0) < 0:
        raise ValueError(f"random_split: lengths={lengths} must add up to the {total} samples, or to 1 as fractions.")
    order, ends = _order(total, generator).tolist(), accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def default_collate(batch: Sequence[Any]) -> Any:
    """Samples to a batch: tensors, arrays and numbers are stacked, within dicts and (named) tuples or lists.

    Python's floats become float64, as in PyTorch; strings stay a list.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch)
    if isinstance(first, (np.ndarray, np.generic)):
        return tensor(np.stack([np.asarray(sample) for sample in batch]))
    if isinstance(first, (int, float)):  # bools, too
        return tensor(batch, dtype=float64 if isinstance(first, float) else None)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, (tuple, list)):
        if len({len(sample) for sample in batch}) > 1:
            raise ValueError(f"default_collate: the samples have {[len(sample) for sample in batch]} parts each.")
        parts = [default_collate(part) for part in zip(*batch, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    raise TypeError(f"default_collate: cannot make a batch of samples of type {type(first).__name__}; pass a "
                    "collate_fn that can.")


class DataLoader:
    """Batches of `batch_size` samples, in order or shuffled anew in each pass; the last one may be smaller.

    `collate_fn` makes a batch of a list of samples. Without it, batches of a TensorDataset are indexed at once.
    Samples are loaded in this process: `num_workers` is 0.
    """

    def __init__(self, dataset: Any, batch_size: int = 1, shuffle: bool = False, *, num_workers: int = 0,
                 collate_fn: Callable[[list[Any]], Any] | None = None, drop_last: bool = False,
                 generator: Generator | None = None) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"DataLoader: batch_size={batch_size!r} must be a positive integer.")
        if num_workers != 0:
            raise ValueError(f"DataLoader: num_workers={num_workers}: samples are loaded in this process, for a fork "
                             "would not see its OpenCL device; write num_workers=0.")
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, batch_size, shuffle, drop_last
        self.num_workers, self.collate_fn, self.generator = 0, collate_fn, generator

    def __len__(self) -> int:
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        total = len(self.dataset)
        order = _order(total, self.generator) if self.shuffle else np.arange(total)  # drawn now, not at the first batch
        return (self._batch(order[k * self.batch_size : (k + 1) * self.batch_size]) for k in range(len(self)))

    def _batch(self, positions: Positions) -> Any:
        dataset, rows = self.dataset, positions
        while type(dataset) is Subset:
            dataset, rows = dataset.dataset, np.asarray(dataset.indices)[rows]
        if type(dataset) is TensorDataset and self.collate_fn is None:
            return list(dataset[rows])
        return (self.collate_fn or default_collate)([self.dataset[k] for k in positions.tolist()])


def _order(total: int, generator: Generator | None) -> Positions:
    return randperm(total, generator=generator, device="reference").numpy()
