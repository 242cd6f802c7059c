"""Differentiation: the walk that carries gradients from a result back to the leaves, by the chain rule.

*Order of birth.* A Function is born after everything it was called on. So "newest first" visits every Function after
all the Functions that used its result: a reverse topological order, for one `sort`. Plain recursion would not do: in
`b = a + a; c = b + b` it would send each half of b's gradient on separately, and a deep graph would exhaust the stack.

*Gradients in flight live in a dict.* They add up there until the walk reaches the Function they belong to; only when
the walk is through are they added to the `.grad` of the leaves, so an error on the way leaves everything as it was.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from types import TracebackType
from typing import Any

from minigrad.function import Function, Node, SetGradMode, Tape, Tensor, enable_grad, no_grad, watched_by, watcher

_accumulation = threading.Lock()  # threads may share leaves; each adds to their .grad as a whole
if hasattr(os, "register_at_fork"):  # taken for the fork: a child would wait forever for a thread that it has not got
    os.register_at_fork(
        before=_accumulation.acquire, after_in_parent=_accumulation.release, after_in_child=_accumulation.release
    )


def backward(outputs: Sequence[Tensor], grad_outputs: Sequence[Tensor | None], retain_graph: bool | None = None,
             create_graph: bool = False) -> None:
    """Adds the gradient of sum_k (outputs[k] * grad_outputs[k]).sum() to `.grad` of every leaf that requires grad."""
    seeds = _seeds(outputs, grad_outputs)
    with _recording(create_graph):
        gradients, retained, fresh = _walk(outputs, seeds, None, _retain(retain_graph, create_graph))
        _accumulate([*gradients.items(), *retained], fresh, create_graph)


def _accumulate(pairs: Sequence[tuple[Tensor, Tensor]], fresh: set[Node], create_graph: bool) -> None:
    """Add each gradient to the `.grad` of its tensor. Tensors in `fresh` may keep theirs; else zeroing one gradient, in
    memory that it shares, would touch another."""
    for tensor, gradient in pairs:  # all are checked before one is written
        if tensor.device is not gradient.device or tensor.array.dtype != gradient.array.dtype:
            raise RuntimeError(f"a tensor of shape {tuple(tensor.shape)} was used as {gradient.dtype} on "
                               f"{gradient.device} and has become {tensor.dtype} on {tensor.device} since; convert it "
                               "before the forward pass, or after backward().")
    tape = watcher()
    with _accumulation:
        for tensor, gradient in pairs:
            if not tensor.requires_grad:  # any more: requires_grad_(False) since it was used
                continue
            if tape is not None:
                tape.stores(tensor, tensor._grad, gradient)
            if tensor._grad is None:
                if create_graph:
                    tensor._grad = gradient.clone()
                else:
                    tensor._grad = gradient if tensor in fresh else gradient._copied()
            elif create_graph:
                tensor.grad = tensor.grad + gradient
            else:
                tensor.grad += gradient


def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor],
         grad_outputs: Tensor | Sequence[Tensor | None] | None = None, retain_graph: bool | None = None,
         create_graph: bool = False, only_inputs: bool = True, allow_unused: bool = False
         ) -> tuple[Tensor | Any, ...]:  # Any: None, for allow_unused
    """The gradients of sum_k (outputs[k] * grad_outputs[k]).sum() with respect to `inputs`, as a tuple.

    No `.grad` is touched, save those of tensors on the way that called retain_grad(); only what leads to `inputs`
    is computed. `grad_outputs` may be left out for outputs of one element (its gradient is then 1). With
    `create_graph=True` the gradients are themselves recorded and can be differentiated. An input that the outputs do
    not depend on is an error, or None with `allow_unused=True`. `only_inputs`, which PyTorch keeps for old
    scripts, must be True.
    """
    if not only_inputs:
        raise ValueError("grad: only_inputs=False would add to .grad of all leaves, as backward() does; call that.")
    outputs, inputs = _sequence(outputs), _sequence(inputs)
    grad_outputs = [None] * len(outputs) if grad_outputs is None else _sequence(grad_outputs)
    for name, tensors in (("outputs", outputs), ("inputs", inputs)):
        for tensor in tensors:
            if not hasattr(tensor, "creator"):
                raise TypeError(f"grad: {name} must be a tensor or a sequence of tensors, got {type(tensor).__name__}.")
    for position, tensor in enumerate(inputs):
        if not tensor.requires_grad:
            raise RuntimeError(f"grad: inputs[{position}] does not require grad; call requires_grad_() before using "
                               "it.")
    seeds = _seeds(outputs, grad_outputs)
    nodes = [tensor._node() for tensor in inputs]
    with _recording(create_graph):
        found, retained, _ = _walk(outputs, seeds, set(nodes), _retain(retain_graph, create_graph))
    results = tuple([found.get(node) for node in nodes])
    for position, result in enumerate(results):
        if result is None and not allow_unused:
            raise RuntimeError(f"grad: the outputs do not depend on inputs[{position}] (shape "
                               f"{tuple(inputs[position].shape)}). Was it used through .detach(), .data, .numpy() or "
                               "under no_grad()? Say allow_unused=True to get None for it.")
    with _recording(create_graph):
        _accumulate(retained, set(), create_graph)
    return results


def _sequence(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, (tuple, list)) else [tensors]


def _retain(retain_graph: bool | None, create_graph: bool) -> bool:
    return create_graph if retain_graph is None else retain_graph


_on, _off = enable_grad(), no_grad()


def _recording(create_graph: bool) -> SetGradMode:
    return _on if create_graph else _off


def _seeds(outputs: Sequence[Tensor], grad_outputs: Sequence[Tensor | None]) -> list[Tensor]:
    """The gradient each output starts with, checked; 1 for an output of one element."""
    if len(outputs) != len(grad_outputs):
        raise ValueError(f"grad: {len(outputs)} outputs but {len(grad_outputs)} grad_outputs; give one for each "
                         "output.")
    seeds = []
    for output, seed in zip(outputs, grad_outputs):  # noqa: B905  (as many; the keyword takes 0.3 us)
        if not output.requires_grad:
            raise RuntimeError(f"backward from a tensor of shape {tuple(output.shape)} that has no graph: nothing it "
                               "was computed from requires grad (or it was computed under no_grad(), or detached). Set "
                               "requires_grad=True on an input.")
        creator = output.creator
        if creator is not None and creator.spent:
            raise RuntimeError(creator.gone())
        if seed is None:
            if output.numel() != 1:
                raise RuntimeError(f"backward from a tensor of shape {tuple(output.shape)}: only a scalar has a "
                                   "gradient by itself. Reduce it (loss.sum() or loss.mean()), or give "
                                   "backward(gradient=...) a weight for each element.")
            seed = output._constant(output.device.full(output.shape, 1, output.dtype))
        elif not hasattr(seed, "creator"):
            raise TypeError(f"backward: gradient must be a tensor, got {type(seed).__name__}: {seed!r}.")
        elif seed.shape != output.shape or seed.dtype != output.dtype or seed.device is not output.device:
            raise ValueError(f"backward: gradient is {seed.dtype} {tuple(seed.shape)} on {seed.device}, but the output "
                             f"it weighs is {output.dtype} {tuple(output.shape)} on {output.device}; they must match.")
        seeds.append(seed)
    return seeds


def _walk(outputs: Sequence[Tensor], seeds: Sequence[Tensor], wanted: set[Node] | None, retain_graph: bool
          ) -> tuple[dict[Node, Tensor], list[tuple[Tensor, Tensor]], set[Node]]:
    """Carry the gradients back through the graph: the chain rule, newest Function first.

    Returns the gradients of the `wanted` nodes (of all leaves, if None); for tensors that called retain_grad(), pairs
    of tensor and gradient; and those nodes whose gradient is in memory that nobody else knows of. Nothing is written
    before the walk is through, so an error on the way leaves every `.grad` as it was.
    """
    gradients: dict[Node, Tensor] = {}  # in flight, and at the end those of the leaves
    for k, output in enumerate(outputs):
        node, seed = output._node(), seeds[k]
        gradients[node] = gradients[node] + seed if node in gradients else seed
    path, tape = _path(outputs, wanted), watcher()
    if tape is not None:
        tape.starts(outputs, seeds)
        with watched_by(tape if tape.follows else None):  # what a backward or a hook computes is its own affair
            return _carry(path, gradients, wanted, retain_graph, tape)
    return _carry(path, gradients, wanted, retain_graph, None)


def _carry(path: list[tuple[Function, tuple[bool, ...]]], gradients: dict[Node, Tensor], wanted: set[Node] | None,
           retain_graph: bool, tape: Tape | None) -> tuple[dict[Node, Tensor], list[tuple[Tensor, Tensor]], set[Node]]:
    """The walk itself, from the gradients of the outputs."""
    found: dict[Node, Tensor] = {}
    retained: list[tuple[Tensor, Tensor]] = []
    fresh: set[Node] = set()

    while path:
        function, needs_grad = path.pop()
        dy = gradients.pop(function, None)
        if dy is None:  # every user of its result answered "no gradient"
            continue
        if function.hooks:
            dy = _hooked(function, dy, tape)
        if function.retained is not None and (result := function.retained()) is not None:
            retained.append((result, dy))
        if wanted is not None and function in wanted:
            found[function] = dy
        if tape is not None:
            tape.visits(function, dy)
        if True in needs_grad:
            dxs = _backward(function, dy, needs_grad)
            for k, edge in enumerate(function.edges):
                dx = dxs[k]
                if dx is not None and needs_grad[k]:
                    before = gradients.get(edge)
                    gradients[edge] = dx if before is None else before + dx  # used twice: gradients add
                    if tape is not None:
                        tape.adds(function, k, dx, before, gradients[edge])
                    if before is not None or function.fresh_gradients:
                        fresh.add(edge)
            if not retain_graph:
                function.release()
    for leaf, gradient in gradients.items():
        if wanted is None or leaf in wanted:
            found[leaf] = _hooked(leaf, gradient, tape) if leaf.hooks else gradient
            if leaf.hooks:
                fresh.discard(leaf)  # a hook may have kept it
    return found, retained, fresh


def reached(outputs: Iterable[Tensor]) -> list[Function]:
    """All Functions that `outputs` were computed by, oldest first."""
    found = {creator for output in outputs if (creator := output.creator) is not None}
    pending = list(found)
    while pending:
        for edge in pending.pop().edges:
            if isinstance(edge, Function) and edge not in found:
                found.add(edge)
                pending.append(edge)
    return sorted(found, key=attrgetter("birth"))


def _path(outputs: Sequence[Tensor], wanted: set[Node] | None) -> list[tuple[Function, tuple[bool, ...]]]:
    """The Functions to walk, oldest first, each with which of its gradients are needed."""
    path = []
    leading: set[Node] = set() if wanted is None else set(wanted)  # nodes whose gradient is needed
    for function in reached(outputs):
        needs_grad = tuple([edge is not None and (wanted is None or edge in leading) for edge in function.edges])
        if True in needs_grad or function in leading:
            leading.add(function)
            path.append((function, needs_grad))
    return path


def _backward(function: Function, dy: Tensor, needs_grad: tuple[bool, ...]) -> tuple[Tensor | None, ...]:
    """function.backward(dy) as a tuple with one gradient per input, its shapes checked."""
    dxs = function.differentiate(dy, needs_grad)
    if not isinstance(dxs, tuple):
        dxs = (dxs,)
    name = type(function).__name__
    if len(dxs) != len(function.edges):
        raise RuntimeError(f"{name}.backward returned {len(dxs)} gradients for {len(function.edges)} inputs.")
    for position, edge in enumerate(function.edges):
        dx = dxs[position]
        if edge is None or dx is None:
            continue
        if not hasattr(dx, "version"):
            raise TypeError(f"{name}.backward returned {type(dx).__name__} for input {position}, which is no tensor.")
        if dx.array.shape != edge.shape:
            raise RuntimeError(f"{name}.backward returned a gradient of shape {tuple(dx.shape)} for input {position} "
                               f"of shape {tuple(edge.shape)}; a gradient has the shape of what it belongs to.")
    return tuple(dxs)


def _hooked(node: Node, gradient: Tensor, tape: Tape | None) -> Tensor:
    """What the hooks of `node` make of its gradient."""
    before = gradient if tape is None else gradient.detach().clone()  # hooks may write into it
    for hook in list((node.hooks or {}).values()):
        replacement = hook(gradient)
        if replacement is not None:
            if not hasattr(replacement, "creator"):
                raise TypeError(f"hook returned {replacement!r}; it must return a tensor, or None to leave the "
                                "gradient.")
            if replacement.shape != gradient.shape:
                raise RuntimeError(f"hook returned shape {tuple(replacement.shape)}, gradient is "
                                   f"{tuple(gradient.shape)}.")
            gradient = replacement
    if tape is not None:
        tape.hooked(node, before, gradient)
    return gradient


class RemovableHandle:
    """What `register_hook` returns: `remove()` takes the hook off again; usable in a `with` statement."""

    _keys = itertools.count()

    def __init__(self, node: Node, hook: Callable[[Tensor], Tensor | None]) -> None:
        if node.hooks is None:
            node.hooks = {}
        self._hooks, self._key = node.hooks, next(self._keys)
        self._hooks[self._key] = hook

    def remove(self) -> None:
        """Takes the hook off; once more does nothing."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.remove()
