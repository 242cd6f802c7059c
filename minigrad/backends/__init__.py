"""Where arrays live and arithmetic happens. `get_backend(name)` returns the one Backend object of that name.

A back end is imported when it is first asked for: `import minigrad` needs NumPy alone, and a machine without
a compiler or an OpenCL driver can use the others. Nothing falls back silently: a back end whose
extension or driver is missing raises an error that names the command that mends it.
"""

import copyreg
import importlib
import threading
from typing import Any

from minigrad.backends.base import Backend

_CLASSES = {
    "reference": ("minigrad.backends.reference", "Reference"),
    "cpu": ("minigrad.backends.cpu", "CPU"),
    "opencl": ("minigrad.backends.opencl", "OpenCL"),
}
_backends: dict[str, Backend] = {}
_lock = threading.Lock()

NAMES = tuple(_CLASSES)


def get_backend(name: str | Backend) -> Backend:
    """The back end called `name`: "reference", "cpu" or "opencl". (A back end itself is returned as it is.)"""
    if isinstance(name, Backend):
        return name
    backend = _backends.get(name) if isinstance(name, str) else None
    if backend is None:
        if name not in NAMES:
            raise ValueError(f"device {name!r} is not one of {', '.join(map(repr, NAMES))}; 'opencl' is the graphics "
                             "card.")
        with _lock:  # one object per device, also when two threads ask at once
            if name not in _backends:
                module, class_name = _CLASSES[name]
                backend = _backends[name] = getattr(importlib.import_module(module), class_name)()
                copyreg.pickle(type(backend), _by_name)
            backend = _backends[name]
    return backend


def _by_name(backend: Backend) -> tuple[Any, tuple[str]]:
    """What copy and pickle keep of a back end; there is still but one of each name."""
    return get_backend, (backend.name,)
