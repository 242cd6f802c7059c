"""Modules made of modules."""

import operator
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Self

from minigrad.nn.modules.module import Module


class _Container(Module):
    """Modules in an order, with names; those without a name of their own are called by their position."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._modules.values()))

    def __setitem__(self, position: int, module: Module) -> None:
        self._modules[_key(self, position)] = _checked(self, position, module)

    def append(self, module: Module) -> Self:
        """One more module at the end; returns this one."""
        name = str(len(self))
        if name in self._modules:  # PyTorch would lose the one that has this name
            raise KeyError(f"{type(self).__name__}.append: the name {name!r} is taken: slices keep their names.")
        self.add_module(name, _checked(self, len(self), module))
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Appends each; returns this one."""
        for module in modules:
            self.append(module)
        return self


class Sequential(_Container):
    """Modules one after the other: each gets what the one before returned.

    Sequential(nn.Linear(2, 3), nn.ReLU()), or with names of their own: Sequential({"hidden": nn.Linear(2, 3)}).
    """

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, _checked(self, name, module))
        else:
            self.extend(modules)

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input

    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            return Sequential(dict(list(self._modules.items())[position]))  # they keep their names
        return self._modules[_key(self, position)]


class ModuleList(_Container):
    """Modules in a list, which a forward of your own indexes or loops over."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        self.extend(modules or ())

    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            return ModuleList(list(self)[position])
        return self._modules[_key(self, position)]

    def _child_reprs(self) -> Iterator[tuple[str, str]]:
        """Like neighbours together, as in "(0-2): 3 x Linear(...)"."""
        for text, alike in groupby(super()._child_reprs(), lambda pair: pair[1]):
            names = [name for name, _ in alike]
            yield (names[0], text) if len(names) == 1 else (f"{names[0]}-{names[-1]}", f"{len(names)} x {text}")


def _key(container: Module, position: int) -> str:
    return list(container._modules)[operator.index(position)]


def _checked(container: Module, position: int | str, module: Any) -> Module:
    if not isinstance(module, Module):
        raise TypeError(f"{type(container).__name__}: modules[{position!r}] must be a Module such as nn.ReLU(), got "
                        f"{module!r}.")
    return module
