"""The public names of minigrad, by the module or class they belong to: for the tests that none of them escapes."""

import inspect
from types import ModuleType
from typing import Any

import minigrad
from minigrad.methods import Methods
from minigrad.nn import functional, init
from minigrad.optim import lr_scheduler
from minigrad.utils import data


def _named(module: Any) -> dict[str, Any]:
    """What `__all__` names, or else what is defined there."""
    names = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__
    ]
    members = {name: getattr(module, name) for name in names if not name.startswith("_")}
    return {name: value for name, value in members.items() if not isinstance(value, ModuleType)}


def members(owner: type) -> dict[str, Any]:
    """The methods and attributes of a class, its operators among them; those that Tensor has from Methods, too."""
    found = {**vars(Methods), **vars(owner)} if issubclass(owner, Methods) else vars(owner)
    return {name: value for name, value in found.items() if not isinstance(value, (str, tuple))}


MODULES = {
    "": _named(minigrad),
    "nn": _named(minigrad.nn),
    "nn.functional": _named(functional),
    "nn.init": {name: value for name, value in _named(init).items() if inspect.isfunction(value)},
    "nn.utils": {"clip_grad_norm_": minigrad.nn.utils.clip_grad_norm_},
    "optim": _named(minigrad.optim),
    "optim.lr_scheduler": _named(lr_scheduler),
    "utils.data": _named(data),
    "autograd": {"grad": minigrad.autograd.grad},
}
CLASSES = {
    "Tensor": minigrad.Tensor,
    "nn.Module": minigrad.nn.Module,
    "nn.Sequential": minigrad.nn.Sequential,
    "nn.ModuleList": minigrad.nn.ModuleList,
    "optim.Optimizer": minigrad.optim.Optimizer,
    "optim.lr_scheduler.LRScheduler": lr_scheduler.LRScheduler,
    "utils.data.DataLoader": data.DataLoader,
    "utils.data.Subset": data.Subset,
    "utils.data.TensorDataset": data.TensorDataset,
    "autograd.RemovableHandle": minigrad.autograd.RemovableHandle,
    "Generator": minigrad.Generator,
}
