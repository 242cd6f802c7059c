"""capture(): a training step is recorded, and from then on replayed without its bookkeeping.

In the end a step, forward, backward and update, is a list of primitives of a device. For tiny tensors the way to it,
through Functions, graph and walk, takes most of the time; the list alone computes the same, to the last bit.

*The list is the whole truth* unless Python goes another way or takes another number at each step: a branch, a
counter, random numbers. So steps run as usual, and each leaves its list, until two in a row agree in every call and
every constant.
"""

from collections.abc import Callable, Iterable
from threading import get_ident
from typing import Any, TypeAlias

import numpy as np

from minigrad.backends.base import Backend
from minigrad.tensor import Tensor

Call: TypeAlias = tuple[Any, tuple[int, ...], int]  # a primitive's name (or a function), places of arguments and result
_RUNS = 4  # the first may find .grad or not, momentum begins with the second; then two must agree


def capture(step: Callable[..., Tensor], parameters: Iterable[Tensor]) -> Callable[..., Tensor]:
    """`step`, a function of tensors, as one that soon repeats what it computes without running it: for tiny steps.

        step = minigrad.capture(step, model.parameters())
        for x, y in batches:
            loss = step(x, y)

    `step` computes a loss, calls `zero_grad`, `backward` and the optimizer's `step`, and returns one tensor, which you
    get detached. The first calls, at most 4, run it, until two in a row have called the same primitives of the device
    with the same constants. Later calls call these: on their arguments, on the parameters, and on the memory of the
    other tensors that `step` used. They leave the loss, what is written in place, and each parameter's `.grad`.

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
        self.program: Callable[[tuple[Tensor, ...]], Tensor] | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        if self.device.watcher is not None and self.device.watcher == get_ident():
            raise RuntimeError("capture: a captured step in a step that is being recorded; capture the outer one only.")
        tensors = (*inputs, *self.parameters)
        if self.program is not None:
            return self.program(tensors)
        tape = _Tape(self.device, tensors)
        with self.device.watched(tape.note):
            result = self.step(*inputs)
        tape.finish(result, tensors)
        self.runs += 1
        difference = "it ran once" if self.tape is None else tape.difference(self.tape)
        if not difference:
            self.program = tape.program()
        elif self.runs == _RUNS:
            raise RuntimeError(f"capture: in {_RUNS} runs no two steps in a row were the same, so none stands for all: "
                               f"{difference}.")
        self.tape = tape
        return result.detach()


class _Tape:
    """What one run has called. All that calls take and give has a place in `values`: arrays, numbers, shapes, None.

    The first places are those of the tensors that the step is given. The others are results, which a replay computes
    anew; constants, which the run has made; and the memory of other tensors.
    """

    def __init__(self, device: Backend, tensors: tuple[Tensor, ...]) -> None:
        self.device = device
        self.given = _kinds(tensors)
        self.before = [tensor.version.count for tensor in tensors]
        self.calls: list[Call] = []
        self.values: list[Any] = [tensor.array for tensor in tensors]  # keeps them alive: no two arrays have one id
        self.places = {id(array): place for place, array in enumerate(self.values)}  # of arrays
        self.array_types = (np.ndarray, type(self.values[-1]))
        self.constants: set[int] = set()
        if len(self.places) < len(tensors):
            raise ValueError("capture: two of the arguments and parameters are the same tensor; pass it once.")

    def note(self, name: str, arguments: tuple[Any, ...], result: Any) -> None:
        """The device has computed a primitive."""
        if name == "to_numpy":
            raise RuntimeError("capture: the step reads values (.item(), .numpy(), an index tensor, an if ...), as no "
                               "replay would. Return the tensor, and read it outside.")
        places = tuple([self._place(argument) for argument in arguments])
        if not isinstance(result, tuple):
            self.calls.append((name, places, self._place(result)))
            return
        whole = len(self.values)
        self.values.append(result)
        self.calls.append((name, places, whole))
        for position, part in enumerate(result):
            self.calls.append((_part, (whole, self._place(position)), self._place(part)))

    def _place(self, value: Any) -> int:
        """Where `value` stands: a new place, unless it is an array that has one."""
        if self._is_array(value):
            place = self.places.setdefault(id(value), len(self.values))
            if place < len(self.values):
                return place
        elif isinstance(value, (list, tuple)) and any([self._is_array(part) for part in value]):
            parts = tuple([self._place(part) for part in value])
            self.calls.append((_together, parts, len(self.values)))
        self.values.append(value)
        return len(self.values) - 1

    def _is_array(self, value: Any) -> bool:
        return isinstance(value, self.array_types)

    def finish(self, result: Any, tensors: tuple[Tensor, ...]) -> None:
        """The step has returned `result`."""
        self.computed = {place for _, _, place in self.calls}
        place = self.places.get(id(result.array)) if isinstance(result, Tensor) else None
        if place is None:
            raise RuntimeError(f"capture: the step must return a tensor that it computed on {self.device}, such as the "
                               f"loss; it returned {result!r}.")
        counts = [tensor.version.count - before for tensor, before in zip(tensors, self.before, strict=True)]
        self.writes = [(position, count) for position, count in enumerate(counts) if count]
        self.gradients = [(position, self.places[id(tensor.grad.array)]) for position, tensor in enumerate(tensors)
                          if tensor.grad is not None and id(tensor.grad.array) in self.places]
        self.result = place
        if not self.computed.issuperset([place for _, place in self.gradients]):
            raise RuntimeError("capture: the step adds to the .grad it finds; call optimizer.zero_grad() in it, before "
                               "backward().")

    def difference(self, other: "_Tape") -> str:
        """What the two do not have in common; empty if they are the same. Finds the constants."""
        for position, (call, before) in enumerate(zip(self.calls, other.calls, strict=False)):
            if call != before:
                return f"call {position} was {before}, then {call} (primitive, arguments, result)"
            for place in set(call[1]) - self.computed - set(range(len(self.given))):
                old, new = other.values[place], self.values[place]
                if self._is_array(new) and old is new:
                    continue  # the memory of a tensor that outlives the step
                if not self._same(old, new):
                    return f"call {position}, {call[0]}, was given {old!r}, then {new!r}"
                self.constants.add(place)
        if len(self.calls) != len(other.calls):
            return f"there were {len(other.calls)} calls, then {len(self.calls)}"
        return ""

    def _same(self, old: Any, new: Any) -> bool:
        """Whether two constants are the same, to the last bit."""
        if type(old) is type(new) and self._is_array(new):
            old, new = [x if isinstance(x, np.ndarray) else self.device.to_numpy(x) for x in (old, new)]
            return (old.dtype, old.shape, old.tobytes()) == (new.dtype, new.shape, new.tobytes())
        return type(old) is type(new) and repr(old) == repr(new)

    def program(self) -> Callable[[tuple[Tensor, ...]], Tensor]:
        """The needed calls as a function of the tensors that the step is given, which does all that the step leaves.

        It is written as a text, as a person would who has one step to do and no time. Nothing calls primitives sooner:

            def program(tensors):
                if len(tensors) != 1: refuse(tensors)
                [t0] = tensors
                v0 = t0.array
                if (t0.device, v0.shape, v0.dtype) != given0: refuse(tensors)
                v3 = conv2d(v1, v0, v2)
                ...
                t0.version.count += 1
                t0._grad = Tensor(v21, device)
                return Tensor(v11, device)
        """
        calls, count = self._needed_calls(), len(self.given)
        names = {f"v{place}": value for place, value in enumerate(self.values)}
        names |= {f"given{k}": kind for k, kind in enumerate(self.given)}
        names |= {"Tensor": Tensor, "device": self.device, "refuse": self._refuse}
        lines = [f"if len(tensors) != {count}: refuse(tensors)"]
        lines.append(f"[{', '.join([f't{k}' for k in range(count)])}] = tensors")
        for k in range(count):
            lines.append(f"v{k} = t{k}.array")
            lines.append(f"if (t{k}.device, v{k}.shape, v{k}.dtype) != given{k}: refuse(tensors)")
        for what, places, place in calls:
            name = what if isinstance(what, str) else what.__name__
            names[name] = getattr(self.device, what) if isinstance(what, str) else what
            lines.append(f"v{place} = {name}({', '.join([f'v{place}' for place in places])})")
        lines += [f"t{position}.version.count += {count}" for position, count in self.writes]
        lines += [f"t{position}._grad = Tensor(v{place}, device)" for position, place in self.gradients]
        lines.append(f"return Tensor(v{self.result}, device)")
        exec("\n    ".join(["def program(tensors):", *lines]), names)
        return names.pop("program")  # type: ignore[no-any-return]

    def _refuse(self, tensors: tuple[Tensor, ...]) -> None:
        raise ValueError(f"capture: the step was recorded with (device, shape, dtype) of arguments and parameters "
                         f"{self.given}, now they are {_kinds(tensors)}. Capture it anew for these.")

    def _needed_calls(self) -> list[Call]:
        """The calls but those that always give the same, whose results are constants too, and those of no use.

        A call without a result writes. What shares memory with its arguments, or with what the step leaves, must be
        fresh each time, and is no constant.
        """
        needed = {self.result, *[place for _, place in self.gradients]}
        written = [place for what, places, result in self.calls if self.values[result] is None
                   for place in (places[:1] if what == "assign" else places)]
        fresh = [self.values[place] for place in needed.union(written) if self._is_array(self.values[place])]
        for array in [self.values[place] for place in self.constants if self._is_array(self.values[place])]:
            if any([self.device.shares_memory(array, other) for other in fresh]):
                raise RuntimeError("capture: the step writes into a tensor that it makes of data, or leaves it: a "
                                   "replay would find it written. Make it before the step, or write into x.clone().")
        calls = []
        for what, places, place in self.calls:
            value = self.values[place]
            is_fresh = not self._is_array(value) or any([self.device.shares_memory(value, array) for array in fresh])
            if is_fresh or not self.constants.issuperset(places):
                calls.append((what, places, place))
            else:
                self.constants.add(place)
        kept = []
        for what, places, place in reversed(calls):
            if self.values[place] is None or place in needed:
                needed.update(places)
                kept.append((what, places, place))
        self.values = [None if place in self.computed - self.constants else it for place, it in enumerate(self.values)]
        return kept[::-1]


def _kinds(tensors: tuple[Tensor, ...]) -> list[tuple[Any, ...]]:
    return [(tensor.device, tensor.array.shape, tensor.array.dtype) for tensor in tensors]


def _part(whole: tuple[Any, ...], position: int) -> Any:
    """What takes one of several results."""
    return whole[position]


def _together(*parts: Any) -> tuple[Any, ...]:
    """What gives a primitive a sequence of arrays as one argument."""
    return parts
