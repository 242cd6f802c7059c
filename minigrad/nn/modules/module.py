"""Module: parameters, and the parts of a network that are made of them."""

from collections.abc import Iterator
from typing import Any, Self

from minigrad.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a module learns: a leaf that requires grad, found by `Module.parameters()`."""

    __slots__ = ()

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Parameter: needs a tensor, got {type(data).__name__}; make one with minigrad.tensor(data)."
            )
        super().__init__(data.array, data.device, None, data.version)
        self.requires_grad_(requires_grad)


class Module:
    """A part of a network: a function with parameters.

    Subclasses set parameters and modules as attributes, and define `forward`.
    """

    training = True

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, ...)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    def children(self) -> Iterator["Module"]:
        return (child for _, child in self.named_children())

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def modules(self) -> Iterator["Module"]:
        """This module and all below it, each once."""
        below = [module for child in self.children() for module in child.modules()]
        return iter(dict.fromkeys([self, *below]))

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its path, such as "0.weight"; one used in two places comes once."""
        seen: set[Parameter] = set()
        for name, parameter in self._paths(f"{prefix}." if prefix else ""):
            if parameter not in seen:
                seen.add(parameter)
                yield name, parameter

    def _paths(self, prefix: str) -> Iterator[tuple[str, Parameter]]:
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield prefix + name, value
        for name, child in self.named_children():
            yield from child._paths(f"{prefix}{name}.")

    def parameters(self) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters())

    def zero_grad(self) -> None:
        """Forgets the gradients, so that the next backward() does not add to them."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode: bool = True) -> Self:
        """Sets training mode for this module and all below it; returns it."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        return self.train(False)

    def to(self, target: Any) -> Self:
        """Moves every parameter to another device or dtype, in place; returns the module."""
        for parameter in self.parameters():
            moved = parameter.detach().to(target)
            if not moved.is_floating_point():
                raise TypeError(f"Module.to: parameters must stay floating-point to be learned, got {moved.dtype}.")
            parameter.array, parameter.device, parameter.version = moved.array, moved.device, moved.version
            parameter.grad = None if parameter.grad is None else parameter.grad.to(target)
        return self

    def extra_repr(self) -> str:
        """The arguments to show in repr()."""
        return ""

    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        body = "\n" + "\n".join(lines) + "\n" if lines else self.extra_repr()
        return f"{type(self).__name__}({body})"
