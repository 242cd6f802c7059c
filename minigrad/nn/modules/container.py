"""Modules made of modules."""

from typing import Any

from minigrad.nn.modules.module import Module


class Sequential(Module):
    """Modules one after the other: each gets what the one before returned."""

    def __init__(self, *modules: Module) -> None:
        for position, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: modules[{position}] must be a Module such as nn.ReLU(), got {module!r}.")
            setattr(self, str(position), module)

    def forward(self, input: Any) -> Any:
        for module in self.children():
            input = module(input)
        return input

    def __getitem__(self, position: int | slice) -> Module:
        chosen = list(self.children())[position]
        return Sequential(*chosen) if isinstance(chosen, list) else chosen

    def __len__(self) -> int:
        return len(list(self.children()))
