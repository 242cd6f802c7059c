"""examine(): gradcheck with a picture: the gradient that backward gives, the one that is right, and what is the matter.

The patients are in examples/clinic/, a dozen operations that are each wrong in a way of their own.
"""

import inspect
import sys
import textwrap
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from minigrad.diagnosis import PATTERNS, Diagnosis, examined
from minigrad.differences import Tolerance
from minigrad.gradcheck import GradcheckError, gradcheck
from minigrad.teaching.page import Page
from minigrad.tensor import Tensor

_MOST = 4096  # elements of a gradient that a page shows


def examine(function: Callable[..., Any], inputs: Tensor | Sequence[Tensor], *, eps: float = 1e-6, atol: float = 1e-5,
            rtol: float = 1e-3) -> "Examination":
    """Whether the gradients of `function(*inputs)` are right; if not, which backward is wrong, and in what way.

        examination = minigrad.examine(lambda x: Square()(x), [x])
        print(examination)                       # or examination.save("clinic.html")
        examination.diagnosis.pattern            # "factor", or whichever it is; diagnosis is None if all is well

    It is `gradcheck`, which raises the same diagnosis, as a page: arguments and errors are the same. Beyond the
    function as a whole, every operation that it records is checked by itself, also for inputs that are none of the
    function's: it may be wrong though the gradients of all `inputs` are right.
    """
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    try:
        gradcheck(function, tensors, eps=eps, atol=atol, rtol=rtol)
    except GradcheckError as error:
        return Examination(function, tensors, error, eps, atol, rtol)
    return Examination(function, tensors, None, eps, atol, rtol)


def see(function: Callable[..., Any], inputs: Tensor | Sequence[Tensor], path: str = "out/clinic.html") -> None:
    """Prints what `examine` finds, writes its page, and ends the program: with status 1 if something is wrong."""
    examination = examine(function, inputs)
    sys.stdout.write(f"{examination}\nPage: {examination.save(path)}\n")
    sys.exit(0 if examination.diagnosis is None else 1)


class Examination(Page):
    """What `examine` returns: `diagnosis`, or None; the names of the `operations`, of those that are `wrong`, and of
    those that are too `large` to be looked into.
    """

    kind = "clinic"
    title = "The clinic"
    height = 1050

    def __init__(self, function: Callable[..., Any], tensors: Sequence[Tensor], error: GradcheckError | None,
                 eps: float, atol: float, rtol: float) -> None:
        self.complaint = "" if error is None else str(error).partition("\nDiagnosis: ")[0]
        self.diagnosis: Diagnosis | None = None if error is None else error.diagnosis

        self.operations, wrong, self.large = examined(function, tensors, eps, Tolerance(atol, rtol))
        self.wrong = sorted({diagnosis.operation for diagnosis in wrong})
        if error is None and wrong:
            self.diagnosis = wrong[0]
            self.complaint = "The gradients of all inputs are right, but not all that its operations do."
        self.source = _source(function, self.diagnosis)

    def __str__(self) -> str:
        marks = dict.fromkeys(self.wrong, " (wrong)") | dict.fromkeys(self.large, " (too large to be looked into)")
        names = ", ".join([name + marks.get(name, "") for name in self.operations]) or "none"
        if self.diagnosis is None:
            return f"All gradients are right. Operations: {names}."
        return f"{self.complaint}\nDiagnosis ({self.diagnosis.pattern}): {self.diagnosis}\nOperations: {names}."

    def __repr__(self) -> str:
        return f"<Examination: {'well' if self.diagnosis is None else self.diagnosis.pattern}>"

    def data(self) -> dict[str, Any]:
        diagnosis = self.diagnosis
        common = {"operations": self.operations, "wrong": self.wrong, "large": self.large, "source": self.source,
                  "patterns": PATTERNS}
        if diagnosis is None:
            return {**common, "pattern": None}
        shape = None if diagnosis.expected is None else diagnosis.expected.shape
        large = shape is not None and prod(shape) > _MOST
        return {
            **common, "pattern": diagnosis.pattern, "text": diagnosis.text, "complaint": self.complaint,
            "operation": diagnosis.operation, "position": diagnosis.position, "shape": shape,
            "found": None if large else diagnosis.found, "expected": None if large else diagnosis.expected,
        }


def _source(function: Callable[..., Any], diagnosis: Diagnosis | None) -> str:
    """The text that is to be mended: the backward that is wrong, or else the function."""
    found: Any = function
    if diagnosis is not None and diagnosis.backward is not None:
        found = diagnosis.backward
    try:
        return textwrap.dedent(inspect.getsource(found))
    except (OSError, TypeError):  # typed into an interpreter that keeps no text; or no function at all
        return ""
