"""Optimizer: groups of parameters with their options, and what is remembered of each parameter from step to step."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from minigrad.function import enable_grad, no_grad
from minigrad.nn.utils import zero_grad
from minigrad.tensor import Tensor

_off = no_grad()


class Optimizer:
    """The base of all: a subclass gives the `defaults` of its options and defines `step`, or `_update` for this one.

    `param_groups` is a list of dicts: "params" and each option. `params` is an iterable of tensors, or of such dicts,
    in which the options that are missing take the defaults. `state[parameter]` is a dict of what is remembered.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        if not isinstance(params, Iterable):
            raise TypeError(f"{type(self).__name__}: params must be a sequence of tensors or of dicts, got "
                            f"{type(params).__name__}; pass model.parameters().")
        groups = list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__}: params is empty; pass model.parameters() (once: it is an "
                             "iterator). Layers in a plain list are not found: keep them in an nn.ModuleList.")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """One more group: {"params": tensors} and options of its own."""
        name, params = type(self).__name__, param_group["params"]
        group = {**self.defaults, **param_group, "params": [params] if isinstance(params, Tensor) else list(params)}
        known = {parameter for other in self.param_groups for parameter in other["params"]}
        for position, parameter in enumerate(group["params"]):
            if not isinstance(parameter, Tensor) or parameter.creator is not None:
                raise ValueError(f"{name}: params[{position}] must be a leaf tensor, got {parameter!r}.")
            if parameter in known:
                raise ValueError(f"{name}: params[{position}] of shape {parameter.shape} is there twice; give it once.")
            known.add(parameter)
        for option in ("lr", "momentum", "weight_decay", "eps"):
            if not group.get(option, 0) >= 0:
                raise ValueError(f"{name}: {option}={group[option]} must not be negative.")
        self.param_groups.append(group)

    def _update(self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Writes one parameter in place. Called without recording, with a gradient that is not to be written."""
        raise NotImplementedError(f"{type(self).__name__} must define step(self)")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every parameter that has a gradient; returns what `closure`, called before, returned."""
        result = None
        if closure is not None:
            with enable_grad():
                result = closure()
        with _off:
            for group in self.param_groups:
                for parameter in group["params"]:
                    gradient = parameter.grad
                    if gradient is None:
                        continue
                    if gradient.creator is not None:  # after backward(create_graph=True)
                        gradient = gradient.detach()
                    gradient = -gradient if group.get("maximize") else gradient
                    self._update(parameter, gradient, self.state[parameter], group)
        return result

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients, or fills them with zeros, so that the next backward() does not add to them."""
        for group in self.param_groups:
            for parameter in group["params"]:
                zero_grad(parameter, set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """{"state": {position: what is remembered}, "param_groups": [options, with positions as "params"]}.

        Positions count the parameters of all groups. The tensors are those of the optimizer, not copies.
        """
        position = {parameter: k for k, parameter in enumerate(self._parameters())}
        groups = [{**group, "params": [position[one] for one in group["params"]]} for group in self.param_groups]
        state = {position[parameter]: dict(state) for parameter, state in self.state.items() if state}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over a copy of what state_dict() gave, in the dtype and on the device of each parameter."""
        saved = [group["params"] for group in state_dict["param_groups"]]
        if [len(group["params"]) for group in self.param_groups] != [len(positions) for positions in saved]:
            raise ValueError(f"{type(self).__name__}.load_state_dict: the state has groups of {[*map(len, saved)]} "
                             f"parameters, this optimizer of {[len(group['params']) for group in self.param_groups]}; "
                             "make it as the saved one was.")
        parameters = dict(zip(chain(*saved), self._parameters(), strict=True))
        state = {
            parameters[k]: {name: _like(parameters[k], k, name, value) for name, value in values.items()}
            for k, values in state_dict["state"].items()
        }
        self.state = defaultdict(dict, state)
        for group, options in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({name: value for name, value in options.items() if name != "params"})

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def __repr__(self) -> str:
        lines = []
        for position, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {position}"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


def _like(parameter: Tensor, position: int, name: str, value: Any) -> Any:
    """A copy of `value` that belongs to `parameter`."""
    if not isinstance(value, Tensor):
        return value
    if name == "step":  # a tensor in PyTorch's states
        return value.item()
    if value.ndim and value.shape != parameter.shape:
        raise ValueError(f"load_state_dict: {name} of parameter {position} has shape {value.shape}, the parameter "
                         f"{parameter.shape}.")
    return value.detach().to(parameter.device).to(parameter.dtype).clone()
