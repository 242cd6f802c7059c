"""Random programs of operations, views and writes in place: minigrad computes what PyTorch computes, and raises where
PyTorch raises.

A program is a list of instructions on a growing list of tensors. An instruction names its operands by numbers, taken
modulo what there is. What fits is decided by shapes alone, so that both libraries are asked for the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import minigrad

from .replay import ERRORS, same, torch

pytestmark = pytest.mark.oracle

Instruction = tuple[str, int, int, int]  # what to do, and three numbers that say to what and where


@dataclass
class Variable:
    tensor: Any
    family: int  # tensors of one family share memory
    plain: bool = True  # the elements lie in row-major order in both libraries, so that reshape is a view in both
    repeated: bool = False  # expanded: several elements are one


class Machine:
    """Runs instructions with one of the libraries."""

    def __init__(self, m: ModuleType) -> None:
        self.m = m
        rng = np.random.default_rng(0)
        shapes = [(3, 4), (4,), (3, 4), (2, 3, 2)]
        leaves = [m.tensor(rng.standard_normal(shape), requires_grad=k < 2) for k, shape in enumerate(shapes)]
        self.variables = [Variable(leaf, family) for family, leaf in enumerate(leaves)]
        self.leaves = leaves[:2]
        self.families = len(leaves)

    def run(self, instruction: Instruction) -> str:
        name, a, b, k = instruction
        x, y = self.variables[a % len(self.variables)], self.variables[b % len(self.variables)]
        if self.m is torch:
            _ = x.tensor.grad_fn  # until it is asked, PyTorch takes a view of what became no leaf for a leaf
        try:
            result = getattr(self, name)(x, y, k)
        except ERRORS:
            return "refused"
        if result is None:
            return "done"
        self.variables.append(result)
        return "made"

    def new(self, tensor: Any, *operands: Variable) -> Variable:
        self.families += 1
        return Variable(tensor, self.families, all(x.plain and not x.repeated for x in operands))

    # --- views ---

    def row(self, x: Variable, _: Variable, k: int) -> Variable | None:
        if x.repeated or not rows(x):
            return None
        return Variable(x.tensor[k % rows(x)], x.family, x.plain)

    def part(self, x: Variable, _: Variable, k: int) -> Variable | None:
        if x.repeated or not x.tensor.shape or x.tensor.shape[-1] <= k % 2:  # of a leaf, PyTorch protects even nothing
            return None
        return Variable(x.tensor[..., k % 2 :: 1 + k % 3], x.family, False)

    def narrowed(self, x: Variable, _: Variable, k: int) -> Variable | None:
        if x.repeated or not x.tensor.shape or not x.tensor.shape[-1]:
            return None
        return Variable(x.tensor.narrow(-1, k % x.tensor.shape[-1], 1), x.family, False)

    def turned(self, x: Variable, _: Variable, k: int) -> Variable | None:
        if x.repeated or x.tensor.ndim < 2:
            return None
        return Variable(x.tensor.transpose(k % x.tensor.ndim, -1), x.family, False)

    def flat(self, x: Variable, _: Variable, k: int) -> Variable | None:
        return Variable(x.tensor.view(-1), x.family) if x.plain and not x.repeated else None

    def lifted(self, x: Variable, _: Variable, k: int) -> Variable:
        return Variable(x.tensor.unsqueeze(k % (x.tensor.ndim + 1)), x.family, x.plain, x.repeated)

    def expanded(self, x: Variable, _: Variable, k: int) -> Variable:
        return Variable(x.tensor.expand(2, *x.tensor.shape), x.family, False, True)

    def detached(self, x: Variable, _: Variable, k: int) -> Variable:
        return Variable(x.tensor.detach(), x.family, x.plain, x.repeated)

    # --- operations ---

    def added(self, x: Variable, y: Variable, k: int) -> Variable:
        return self.new(x.tensor + y.tensor, x, y)

    def multiplied(self, x: Variable, y: Variable, k: int) -> Variable:
        return self.new(x.tensor * y.tensor, x, y)

    def bent(self, x: Variable, _: Variable, k: int) -> Variable:
        return self.new([x.tensor.tanh, x.tensor.sigmoid, x.tensor.relu][k % 3](), x)

    def divided(self, x: Variable, y: Variable, k: int) -> Variable:
        return self.new(x.tensor / (y.tensor * y.tensor + 1), x, y)

    def summed(self, x: Variable, _: Variable, k: int) -> Variable | None:
        return self.new(x.tensor.sum(k % x.tensor.ndim), x) if x.tensor.shape else None

    def joined(self, x: Variable, y: Variable, k: int) -> Variable:
        return self.new(self.m.cat([x.tensor, y.tensor], 0))

    def copied(self, x: Variable, _: Variable, k: int) -> Variable:
        return self.new(x.tensor.clone(), x)

    # --- writes ---

    def value(self, x: Variable, y: Variable) -> Any:
        """y, to be written into x: a copy where both are of one memory, since PyTorch refuses what overlaps."""
        return y.tensor if x.family != y.family else y.tensor * 1

    def write_number(self, x: Variable, _: Variable, k: int) -> None:
        if not x.repeated and rows(x):
            x.tensor[k % rows(x)] = k / 2

    def write_row(self, x: Variable, y: Variable, k: int) -> None:
        if not x.repeated and rows(x):
            x.tensor[k % rows(x)] = self.value(x, y)

    def write_part(self, x: Variable, y: Variable, k: int) -> None:
        if not x.repeated and x.tensor.shape:
            x.tensor[..., k % 2 :: 1 + k % 3] = self.value(x, y)

    def write_at(self, x: Variable, y: Variable, k: int) -> None:
        if not x.repeated and x.tensor.shape:
            size = x.tensor.shape[0]
            x.tensor[[k % size, (k + 1) % size] if size > 1 else [0]] = self.value(x, y)

    def write_masked(self, x: Variable, _: Variable, k: int) -> None:
        if not x.repeated:
            x.tensor[x.tensor > 0] = k / 4

    def write_all(self, x: Variable, y: Variable, k: int) -> None:
        x.tensor.copy_(self.value(x, y))

    def add_in_place(self, x: Variable, y: Variable, k: int) -> None:
        x.tensor += self.value(x, y)

    def subtract_in_place(self, x: Variable, y: Variable, k: int) -> None:
        x.tensor.sub_(self.value(x, y))

    def multiply_in_place(self, x: Variable, y: Variable, k: int) -> None:
        x.tensor *= self.value(x, y)

    def scale_in_place(self, x: Variable, _: Variable, k: int) -> None:
        x.tensor *= k / 4

    def divide_in_place(self, x: Variable, _: Variable, k: int) -> None:
        x.tensor /= k + 1

    def zero_in_place(self, x: Variable, _: Variable, k: int) -> None:
        if not x.repeated:  # PyTorch lets zeros be written over each other
            x.tensor.zero_()

    def square_in_place(self, x: Variable, _: Variable, k: int) -> None:
        x.tensor **= 2

    def clamp_in_place(self, x: Variable, _: Variable, k: int) -> None:
        x.tensor.clamp_(-k / 4, k / 3)

    def fill_in_place(self, x: Variable, _: Variable, k: int) -> None:
        if not x.repeated:  # PyTorch warns
            x.tensor.masked_fill_(x.tensor < 0, k / 4)

    def write_unrecorded(self, x: Variable, y: Variable, k: int) -> None:
        if not x.repeated and rows(x):
            with self.m.no_grad():
                x.tensor[k % rows(x)] = self.value(x, y)

    # --- the end ---

    def gradients(self, uses: Sequence[int]) -> Any:
        """First and second, of a sum over the variables that `uses` chooses, with respect to the leaves.

        A gradient that does not exist counts as zeros: which do exist depends on how a derivative is written.
        """
        chosen = [self.variables[use % len(self.variables)].tensor for use in uses]
        loss = sum(((k + 1) * tensor * tensor).sum() for k, tensor in enumerate(chosen))
        if not loss.requires_grad:
            return "nothing to differentiate"
        try:
            first = self.m.autograd.grad(loss, self.leaves, create_graph=True, allow_unused=True)
        except ERRORS:
            return "refused"
        total = sum((dx * dx).sum() for dx in first if dx is not None and dx.requires_grad)
        second = [None, None]
        if isinstance(total, type(loss)):
            second = self.m.autograd.grad(total, self.leaves, allow_unused=True)
        return [
            [self.m.zeros_like(x) if dx is None else dx.detach() for x, dx in zip(self.leaves, gradients, strict=True)]
            for gradients in (first, second)
        ]


def rows(x: Variable) -> int:
    return x.tensor.shape[0] if x.tensor.shape else 0


def state(machine: Machine) -> list[Any]:
    return [(x.tensor, x.tensor.requires_grad, x.tensor.is_leaf) for x in machine.variables]


NAMES = [name for name, value in vars(Machine).items() if callable(value) and getattr(value, "__annotations__", {})]
INSTRUCTIONS = [name for name in NAMES if name not in ("__init__", "run", "new", "value", "gradients")]
numbers = st.integers(0, 11)
programs = st.lists(st.tuples(st.sampled_from(INSTRUCTIONS), numbers, numbers, numbers), min_size=1, max_size=14)


@given(program=programs, uses=st.lists(numbers, min_size=1, max_size=4))
@settings(max_examples=400)
def test_programs_agree_with_pytorch(program: list[Instruction], uses: list[int], device: str) -> None:
    with np.errstate(all="ignore"):
        ours, theirs = Machine(minigrad), Machine(torch)
        for instruction in program:
            assert ours.run(instruction) == theirs.run(instruction), instruction
        same(state(ours), state(theirs))
        same(ours.gradients(uses), theirs.gradients(uses))
        same(state(ours), state(theirs))
