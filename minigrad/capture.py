"""capture(): a training step is recorded, and from then on replayed without its bookkeeping.

In the end a step, forward, backward and update, is a list of primitives of a device. For tiny tensors the way to it,
through Functions, graph and walk, takes most of the time; the list alone computes the same, to the last bit.

*When is a list the whole truth?* Not if Python goes another way or takes another number at each step: a branch, a
counter, random numbers. So steps run as usual, and each leaves its list, until two in a row agree in every call and
every constant.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

import numpy as np

from minigrad.backends.base import Backend
from minigrad.tensor import Tensor

_RUNS = 4  # the first may find .grad or not, momentum begins with the second; then two must agree


def capture(step: Callable[..., Tensor], parameters: Iterable[Tensor]) -> Callable[..., Tensor]:
    """`step`, a function of tensors, as one that soon repeats what it computes without running it: for tiny steps.

        step = minigrad.capture(step, model.parameters())
        for x, y in batches:
            loss = step(x, y)

    `step` computes a loss, calls `zero_grad`, `backward` and the optimizer's `step`, and returns one tensor, which you
    get detached. The first calls, at most 4, run it, until two in a row have called the same primitives of the device
    with the same constants. Later calls call these: on their arguments, on the parameters, and on the memory that the
    other tensors have which `step` used. They leave the loss, what was written in place, and each parameter's `.grad`.

    What else Python does is not repeated: prints and hooks, a new lr, another branch. Where it changes, capture anew.

    Raises: RuntimeError if no two runs agree (random numbers, a count of steps), if `step` reads a value (`.item()`, an
    index tensor, `if loss > 1`) or adds to the `.grad` it finds. ValueError for arguments of another number, shape,
    dtype or device than were recorded.
    """
    return _Captured(step, list(parameters))


class _Captured:
    def __init__(self, step: Callable[..., Tensor], parameters: list[Tensor]) -> None:
        if not parameters:
            raise ValueError("capture: parameters is empty; pass model.parameters() (once: it is an iterator).")
        self.step, self.parameters, self.device = step, parameters, parameters[0].device
        self.runs = 0
        self.tape: _Tape | None = None  # of the last run
        self.program: list[tuple[Callable[..., Any], Callable[[list[Any]], Any], int]] = []

    def __call__(self, *inputs: Tensor) -> Tensor:
        if self.program and self.tape:
            return self._replay(self.tape, (*inputs, *self.parameters))
        tape = _Tape(self.device, (*inputs, *self.parameters))
        with self.device.watched(tape.note):
            result = self.step(*inputs)
        tape.finish(result, (*inputs, *self.parameters))
        self.runs += 1
        difference = tape.difference(self.tape) if self.tape else "there was but one"
        if not difference:
            self.program = [(getattr(self.device, name, _together), itemgetter(*places) if len(places) > 1 else
                             itemgetter(slice(places[0], places[0] + 1)), place) for name, places, place in tape.calls]
            tape.forget_results()
        elif self.runs == _RUNS:
            raise RuntimeError(f"capture: of {_RUNS} runs no two in a row did the same: {difference}. A replay would "
                               "repeat one of them for ever.")
        self.tape = tape
        return result.detach()

    def _replay(self, tape: "_Tape", tensors: tuple[Tensor, ...]) -> Tensor:
        if [(tensor.device, tensor.shape, tensor.dtype) for tensor in tensors] != tape.given:
            raise ValueError
        values = tape.values.copy()
        values[: len(tensors)] = [tensor.array for tensor in tensors]
        for call, arguments, place in self.program:
            values[place] = call(*arguments(values))
        for tensor, count in zip(tensors, tape.writes, strict=True):
            tensor.version.count += count
        for parameter, place in tape.gradients:
            parameter.grad = Tensor(values[place], self.device)
        return Tensor(values[tape.result], self.device)


def _together(*parts: Any) -> tuple[Any, ...]:
    return parts


class _Tape:
    """What one run has called. All that calls take and give has a place in `values`: arrays, numbers, shapes, None.

    The first places are those of the tensors that the step was given, the results are overwritten at each replay, and
    what remains are constants, and the memory of other tensors.
    """

    def __init__(self, device: Backend, tensors: tuple[Tensor, ...]) -> None:
        self.device = device
        self.given = [(tensor.device, tensor.shape, tensor.dtype) for tensor in tensors]
        self.writes = [-tensor.version.count for tensor in tensors]  # until the end is added
        self.calls: list[tuple[str, tuple[int, ...], int]] = []  # primitive, places of the arguments, place of the result
        self.values: list[Any] = []  # while the step runs, it keeps arrays alive: no two of them have one id
        self.places: dict[int, int] = {}  # of arrays, by id
        self.array_types = (np.ndarray, type(tensors[-1].array))
        for tensor in tensors:
            self._place(tensor.array)

    def note(self, name: str, arguments: tuple[Any, ...], result: Any) -> None:
        """The device has computed one primitive."""
        if name == "to_numpy":
            raise RuntimeError("capture: the step reads values (.item(), .numpy(), an index tensor, an if ...), which a "
                               "replay does not. Return the tensor, and read it outside.")
        places = tuple([self._place(argument) for argument in arguments])
        self.calls.append((name, places, self._place(result)))

    def _place(self, value: Any) -> int:
        """Where `value` stands; a new place, unless it is an array that is known."""
        place = self.places.get(id(value))
        if place is not None:
            return place
        if isinstance(value, (list, tuple)) and any([isinstance(part, self.array_types) for part in value]):
            parts = tuple([self._place(part) for part in value])
            self.calls.append((_together.__name__, parts, len(self.values)))
        if isinstance(value, self.array_types):
            self.places[id(value)] = len(self.values)
        self.values.append(value)
        return len(self.values) - 1

    def finish(self, result: Any, tensors: tuple[Tensor, ...]) -> None:
        """The step has returned `result`."""
        if not isinstance(result, Tensor) or id(result.array) not in self.places:
            raise RuntimeError(f"capture: the step must return a tensor that it computed on {self.device}, such as the "
                               f"loss; got {result!r}.")
        self.result = self.places[id(result.array)]
        self.writes = [tensor.version.count + before for tensor, before in zip(tensors, self.writes, strict=True)]
        self.computed = {place for _, _, place in self.calls}
        self.gradients = [(tensor, self.places[id(tensor.grad.array)]) for tensor in tensors
                          if tensor.grad is not None and id(tensor.grad.array) in self.places]
        if not {place for _, place in self.gradients} <= self.computed:
            raise RuntimeError("capture: the step adds to the .grad it finds; call optimizer.zero_grad() in it, before "
                               "backward().")

    def difference(self, other: "_Tape") -> str:
        """What the two have not in common; empty if they are the same."""
        for number, (call, before) in enumerate(zip(self.calls, other.calls, strict=False)):
            if call != before:
                return f"primitive {number} was {before[0]}, and then {call[0]}"
            for place in call[1]:
                if place >= len(self.given) and place not in self.computed:
                    old, new = other.values[place], self.values[place]
                    if not self._same(old, new):
                        return f"{call[0]}, primitive {number}, was given {old!r}, and then {new!r}"
        if len(self.calls) != len(other.calls):
            return f"there were {len(other.calls)} primitives, and then {len(self.calls)}"
        return ""

    def _same(self, old: Any, new: Any) -> bool:
        if old is new:
            return True
        if not isinstance(new, self.array_types):
            return type(old) is type(new) and repr(old) == repr(new)  # of floats it shows every bit
        old, new = [x if isinstance(x, np.ndarray) else self.device.to_numpy(x) for x in (old, new)]
        return old.dtype == new.dtype and old.shape == new.shape and bool(old.tobytes() == new.tobytes())

    def forget_results(self) -> None:
        self.values = [None if place in self.computed else value for place, value in enumerate(self.values)]
        self.places = {}
