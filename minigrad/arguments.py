"""What the public functions say of an argument that should have been a tensor and is none."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


def explain_arguments(namespace: dict[str, Any]) -> None:
    """Makes the public functions of a module, given its globals(), name the argument that should have been a tensor."""
    for name in namespace["__all__"]:
        if inspect.isfunction(namespace.get(name)) and not hasattr(namespace[name], "__wrapped__"):  # by another module
            namespace[name] = _explained(namespace[name], namespace["__name__"])


@functools.cache  # one function of two names stays one
def _explained(function: Callable[..., Any], module: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except AttributeError as error:
            for name, value in inspect.signature(function).bind(*args, **kwargs).arguments.items():
                if value is error.obj and not hasattr(value, "creator"):  # it was taken for a tensor, and is none
                    raise TypeError(f"{function.__name__}: needs a tensor as {name}, got {type(value).__name__}; make "
                                    "one with minigrad.tensor(data).") from error
            raise

    call.__module__ = module  # where pickle finds it
    return call
