"""Module: parameters and buffers, and the parts of a network that are made of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Any, NamedTuple, Self

from minigrad.absent import INSTEAD, absent
from minigrad.autograd import RemovableHandle
from minigrad.creation import zeros
from minigrad.dtypes import float32, float64
from minigrad.function import begin_part, end_part, no_grad
from minigrad.nn.utils import zero_grad
from minigrad.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a module learns: a leaf that requires grad, found by `Module.parameters()`."""

    __slots__ = ()

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: needs a tensor, got {type(data).__name__}; make one with "
                            "minigrad.tensor(data).")
        super().__init__(data.array, data.device, None, data.version)
        self.requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class IncompatibleKeys(NamedTuple):
    """What load_state_dict(strict=False) has passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class _Hooks:
    hooks: dict[int, Callable[..., Any]] | None = None  # as RemovableHandle keeps them


OWN: dict[str, Callable[[], Any]] = {  # what each module has of its own, made when it is first asked for
    "_parameters": dict, "_buffers": dict, "_modules": dict, "_non_persistent_buffers_set": set,
    "_forward_pre_hooks": _Hooks, "_forward_hooks": _Hooks,
}  # fmt: skip


class Module:
    """A part of a network: a function with parameters.

    Subclasses set parameters and modules as attributes, and define `forward`. Tensors that belong to the state without
    being learned, such as running means, are registered as buffers. (Unlike PyTorch's, a subclass need not call
    super().__init__() first. The names that start with an underscore are PyTorch's, which subclasses leave alone.)
    """

    training = True
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, "Module | None"]
    _non_persistent_buffers_set: set[str]
    _forward_pre_hooks: _Hooks
    _forward_hooks: _Hooks

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What calling the module computes."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, ...)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        hooks = self._forward_pre_hooks.hooks
        for hook in list(hooks.values()) if hooks else ():  # a list of its own: a hook may remove itself
            changed = hook(self, inputs)
            if changed is not None:
                inputs = changed if isinstance(changed, tuple) else (changed,)
        outer = begin_part(self)
        try:
            output = self.forward(*inputs, **options)
        finally:
            end_part(outer)
        hooks = self._forward_hooks.hooks
        for hook in list(hooks.values()) if hooks else ():
            changed = hook(self, inputs, output)
            output = output if changed is None else changed
        return output

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, inputs) before each forward; what it returns, if not None, replaces the inputs."""
        return RemovableHandle(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, inputs, output) after each forward; what it returns, if not None, replaces the output."""
        return RemovableHandle(self._forward_hooks, hook)

    # --- registration: parameters, buffers and modules are attributes kept in dictionaries of their own -------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """The same as assigning the attribute; None keeps the place for a parameter that is optional."""
        _register(self, self._parameters, Parameter, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that moves with the module and, if persistent, is part of state_dict(), but is not learned."""
        _register(self, self._buffers, Tensor, name, tensor)
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: "Module | None") -> None:
        """The same as assigning the attribute."""
        _register(self, self._modules, Module, name, module)

    def __setattr__(self, name: str, value: Any) -> None:
        for members, kind in _registries(self):
            registers = isinstance(value, kind) and kind is not Tensor  # a plain tensor is no buffer by itself
            if registers and name not in members:  # then it takes the place of what follows in this order
                for others in (vars(self), self._modules, self._buffers):
                    others.pop(name, None)
                self._non_persistent_buffers_set.discard(name)
            if registers or name in members:
                members[name] = _checked(self, kind, name, value)
                return
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:  # for what is not found the usual way
        own = vars(self)
        for kind in ("_parameters", "_modules", "_buffers"):
            if kind in own and name in own[kind]:
                return own[kind][name]
        if name in OWN:
            return own.setdefault(name, OWN[name]())
        if name in INSTEAD:
            raise absent(type(self).__name__, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")

    def __delattr__(self, name: str) -> None:
        for members, _ in _registries(self):
            if name in members:
                del members[name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._parameters, *self._modules, *self._buffers]

    # --- finding ----------------------------------------------------------------------------------------------

    def named_modules(self, memo: "set[Module] | None" = None, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, "Module"]]:
        """This module and all below it, each once, with their paths, such as "features.0"."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, _path(prefix, name), remove_duplicate)

    def modules(self) -> Iterator["Module"]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules that are attributes of this one, each once."""
        return _once((name, child) for name, child in self._modules.items())

    def children(self) -> Iterator["Module"]:
        """The modules that are attributes of this one, without their names."""
        return (child for _, child in self.named_children())

    def get_submodule(self, target: str) -> "Module":
        """The module at a path such as "features.0"; this module for ""."""
        for path, module in self.named_modules(remove_duplicate=False):
            if path == target:
                return module
        raise AttributeError(f"{type(self).__name__} has no module {target!r}; named_modules() lists those it has.")

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its path, such as "0.weight"; one used in two places comes once."""
        return _named(self, "_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter, each once: what an optimizer takes. Without `recurse`, those of this module alone."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Every buffer with its path, such as "1.running_mean"."""
        return _named(self, "_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    # --- changing ---------------------------------------------------------------------------------------------

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients, or fills them with zeros, so that the next backward() does not add to them."""
        for parameter in self.parameters():
            zero_grad(parameter, set_to_none)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Marks every parameter as one to be learned, or not; returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def train(self, mode: bool = True) -> Self:
        """Sets training mode for this module and all below it; returns it."""
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Ends training mode, as train(False): for dropout and batch normalization."""
        return self.train(False)

    def apply(self, fn: Callable[["Module"], Any]) -> Self:
        """Calls fn(module) for every module below this one, then for this one; returns it."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def to(self, target: Any = None, dtype: Any = None, *, device: Any = None) -> Self:
        """Moves parameters and buffers, in place, as Tensor.to does: to(device), to(dtype), to(device, dtype).

        A dtype, float32 or float64, is for floating-point tensors: buffers of integers keep theirs.
        """
        kind = zeros(0, device="reference").to(target, dtype, device=device).dtype  # all is checked before any moves
        if kind.kind != "f":
            raise TypeError(f"Module.to: parameters must stay floating-point to be learned, got {kind}.")
        for tensor in [*self.parameters(), *self.buffers()]:
            before = Tensor(tensor.array, tensor.device)
            moved = before.to(target, dtype, device=device)
            moved = moved if before.is_floating_point() else before.to(moved.device)
            grad = None if tensor.grad is None else tensor.grad.to(moved.device, moved.dtype)
            tensor.array, tensor.device, tensor.version = moved.array, moved.device, moved.version
            tensor.grad = grad
        return self

    def float(self) -> Self:
        """to(float32)"""
        return self.to(float32)

    def double(self) -> Self:
        """to(float64)"""
        return self.to(float64)

    def cpu(self) -> Self:
        """to("cpu")"""
        return self.to("cpu")

    # --- state ------------------------------------------------------------------------------------------------

    def state_dict(self, *, prefix: str = "") -> dict[str, Tensor]:
        """Every parameter and persistent buffer under its path; one used in two places is under both.

        The tensors share memory with the module's: minigrad.save writes them at once; to keep them, clone() them.
        """
        return {prefix + name: tensor.detach() for name, tensor in _state(self)}

    def load_state_dict(self, state_dict: Mapping[str, Tensor], strict: bool = True) -> IncompatibleKeys:
        """Copies the values of a state_dict() into the parameters and buffers of this module.

        Names that are missing or unexpected are errors, or passed over and returned if not `strict`; other shapes are
        errors in any case. Nothing is changed unless all is right.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: needs a dict of tensors by name, got {type(state_dict).__name__}.")
        own = dict(_state(self))
        result = IncompatibleKeys([name for name in own if name not in state_dict],
                                  [name for name in state_dict if name not in own])
        problems = [f"{name!r} is missing" for name in result.missing_keys if strict]
        problems += [f"{name!r} is unexpected" for name in result.unexpected_keys if strict]
        pairs = [(name, tensor, state_dict[name]) for name, tensor in own.items() if name in state_dict]
        for name, tensor, value in pairs:
            if not isinstance(value, Tensor):
                problems.append(f"{name!r} must be a tensor, got {type(value).__name__}")
            elif not hasattr(tensor, "materialize") and value.shape != tensor.shape:
                problems.append(f"{name!r} has shape {value.shape}, the module's {tensor.shape}")
        if problems:
            raise RuntimeError(f"{type(self).__name__}.load_state_dict: {'; '.join(problems)}. The names and shapes "
                               "must be those of state_dict(); strict=False passes over missing and unexpected names.")
        with no_grad():
            for _, tensor, value in pairs:
                if hasattr(tensor, "materialize"):  # of a lazy module that has not seen its first input
                    tensor.materialize(value.shape)
                tensor.copy_(value.to(tensor.device))
        return result

    # --- printing ---------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """The arguments to show in repr(): unless told otherwise the fields, if the class is a dataclass."""
        shown: tuple[Field[Any], ...] = fields(self) if is_dataclass(self) else ()
        return ", ".join([f"{field.name}={getattr(self, field.name)!r}" for field in shown if field.repr])

    def _child_reprs(self) -> Iterator[tuple[str, str]]:
        return ((name, repr(child)) for name, child in self._modules.items())

    def __repr__(self) -> str:
        extra = self.extra_repr().splitlines()
        children = [f"({name}): {text}".replace("\n", "\n  ") for name, text in self._child_reprs()]
        lines = extra + children
        body = "\n  " + "\n  ".join(lines) + "\n" if children or len(extra) > 1 else "".join(extra)
        return f"{type(self).__name__}({body})"


def _registries(module: Module) -> tuple[tuple[dict[str, Any], type], ...]:
    return (module._parameters, Parameter), (module._modules, Module), (module._buffers, Tensor)


def _register(module: Module, members: dict[str, Any], kind: type, name: str, value: Any) -> None:
    where = f"{type(module).__name__}: the name {name!r}"
    if not isinstance(name, str):
        raise TypeError(f"{where} must be a string.")
    if "." in name or not name:
        raise KeyError(f"{where} must not be empty nor contain a dot: names are joined by dots to paths.")
    if hasattr(module, name) and name not in members:
        raise KeyError(f"{where} is already that of another attribute; delete it first, or choose another.")
    members[name] = _checked(module, kind, name, value)


def _checked(module: Module, kind: type, name: str, value: Any) -> Any:
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{type(module).__name__}.{name} must be a {kind.__name__} or None, got "
                        f"{type(value).__name__}. To write values into a tensor, use `with minigrad.no_grad():` and "
                        ".copy_(); to have something else under this name, del it first.")
    return value


def _named(module: Module, kind: str, prefix: str, recurse: bool, once: bool) -> Iterator[tuple[str, Any]]:
    modules = module.named_modules(None, prefix, once) if recurse else iter([(prefix, module)])
    members = ((_path(path, name), it) for path, one in modules for name, it in getattr(one, kind).items())
    return _once(members) if once else ((name, member) for name, member in members if member is not None)


def _state(module: Module) -> Iterator[tuple[str, Tensor]]:
    for path, one in module.named_modules(remove_duplicate=False):
        for name, tensor in [*one._parameters.items(), *one._buffers.items()]:
            if tensor is not None and name not in one._non_persistent_buffers_set:
                yield _path(path, name), tensor


def _path(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _once(members: Any) -> Iterator[tuple[str, Any]]:
    """The (name, member) pairs without None and without members that came before."""
    seen: set[Any] = {None}
    for name, member in members:
        if member not in seen:
            seen.add(member)
            yield name, member
