"""save and load: tensors in plain containers as a safetensors file, which other libraries read too. Never pickle.

Each tensor is stored under its path: that of {"model": {"conv.weight": t}} is "model.conv.weight", a state dict keeps
its names. The rest is a JSON document in the file's metadata, under "minigrad": null, true, 1, 2.5 and "text" stand for
themselves, an object with one member for everything else:

    {"tensor": name}   {"list": [value, ...]}   {"tuple": [value, ...]}   {"dict": [[key, value], ...]}

"minigrad.crc32" is the checksum of the document and of each tensor's name, dtype, shape and elements. A file without
the two, as PyTorch's safetensors.torch.save_file writes it, is a dict of its tensors by name.
"""

import importlib
import json
import zlib
from os import PathLike, fsync, urandom
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.backends import get_backend
from minigrad.backends.base import Backend
from minigrad.tensor import Tensor

Arrays = dict[str, npt.NDArray[Any]]

_DTYPES = {"F32": "float32", "F64": "float64", "I32": "int32", "I64": "int64", "U8": "uint8", "BOOL": "bool"}
_SCALARS = (type(None), bool, int, float, str)
_DOCUMENT, _CHECKSUM = "minigrad", "minigrad.crc32"
_DEEPEST = 100


def save(obj: Any, path: str | PathLike[str]) -> None:
    """Writes tensors, numbers, strings, bools, None, and dicts, lists and tuples of them, nested at will, to a file.

    Such are state dicts of modules, optimizers and schedulers, and a checkpoint {"model": model.state_dict(), ...} of
    them. The file is replaced as a whole when it has been written, or left as it was. Parameters come back as plain
    tensors, dicts of other classes as dict, NumPy numbers as Python's.
    """
    arrays: Arrays = {}
    document = json.dumps(_described(obj, "", arrays, 0))
    metadata = {_DOCUMENT: document, _CHECKSUM: _checksum(document, arrays)}
    _replace(Path(path).resolve(), _safetensors("safetensors.numpy").save(arrays, metadata))


def load(f: str | PathLike[str], map_location: str | Backend | None = None, *, weights_only: bool = True) -> Any:
    """What `save` has written, or another library as safetensors, its tensors on `map_location` ("cpu" unless told).

    It runs no code of the file's (PyTorch's weights_only=True). A file that is damaged, or made to do harm, is a
    ValueError.
    """
    if not weights_only:
        raise ValueError("load: weights_only=False would unpickle, which runs code of the file's; leave it out.")
    backend = get_backend("cpu" if map_location is None else map_location)
    with Path(f).open("rb"):  # the usual errors, where there is no file
        safe_open = _safetensors("safetensors").safe_open
    try:
        with safe_open(f, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: _array(file, name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
        return _content(metadata, arrays, backend)
    except Exception as error:  # noqa: BLE001  (who knows what a hostile file leads to)
        raise ValueError(f"load: {f} is damaged, or no safetensors file (what torch.save writes is none): "
                         f"{error!r}.") from None


def _safetensors(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RuntimeError(f"save and load need the package safetensors, which cannot be imported ({error}). Install "
                           "it: pip install 'minigrad-learn[files]'") from error


def _described(value: Any, path: str, arrays: Arrays, depth: int) -> Any:
    """`value` as the document has it; its tensors go into `arrays`."""
    if depth > _DEEPEST:
        raise ValueError(f"save: {path!r} is nested more than {_DEEPEST} levels deep, or contains itself.")
    value = value.item() if isinstance(value, np.generic) else value
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Tensor):
        name = path or "tensor"
        if name in arrays or name == "__metadata__":
            raise ValueError(f"save: {name!r} would be the name of two tensors, or is reserved; rename a key.")
        arrays[name] = np.asarray(value.detach().numpy(), order="C")
        return {"tensor": name}
    if type(value) in (list, tuple):
        members = [_described(member, _joined(path, k), arrays, depth + 1) for k, member in enumerate(value)]
        return {type(value).__name__: members}
    if isinstance(value, dict):
        for key in value:
            if type(key) not in _SCALARS:
                raise TypeError(f"save: the key {key!r} at {path!r} must be a string, a number, a bool or None.")
        return {"dict": [[key, _described(value[key], _joined(path, key), arrays, depth + 1)] for key in value]}
    raise TypeError(f"save: {path!r} is a {type(value).__name__}; stored are tensors (for an array: "
                    "minigrad.tensor(array)), numbers, strings, bools, None, and dicts, lists and tuples of these. Of "
                    "modules and optimizers save the state_dict().")


def _joined(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _content(metadata: dict[str, str], arrays: Arrays, backend: Backend) -> Any:
    if not {_DOCUMENT, _CHECKSUM} & metadata.keys():
        return {name: Tensor(backend.from_numpy(array), backend) for name, array in arrays.items()}
    if metadata[_CHECKSUM] != _checksum(metadata[_DOCUMENT], arrays):
        raise ValueError("its content does not have the checksum that was stored with it")
    obj = _value(json.loads(metadata[_DOCUMENT]), arrays, backend)
    if arrays:
        raise ValueError(f"its document has no place for its tensors {sorted(arrays)}")
    return obj


def _value(node: Any, arrays: Arrays, backend: Backend) -> Any:
    """What `_described` described. Each tensor is taken out of `arrays`."""
    if type(node) in _SCALARS:
        return node
    ((kind, content),) = node.items()
    if kind == "tensor":
        return Tensor(backend.from_numpy(arrays.pop(content)), backend)
    if kind not in ("list", "tuple", "dict") or not isinstance(content, list):
        raise ValueError(f"its document has {kind!r} where there should be a tensor, list, tuple or dict")
    if kind != "dict":
        members = [_value(member, arrays, backend) for member in content]
        return members if kind == "list" else tuple(members)
    pairs = {key: _value(value, arrays, backend) for key, value in content}
    if len(pairs) != len(content):
        raise ValueError("its document has a key twice")
    return pairs


def _array(file: Any, name: str) -> npt.NDArray[Any]:
    dtype = file.get_slice(name).get_dtype()
    if dtype not in _DTYPES:
        raise ValueError(f"{name!r} is of dtype {dtype}, minigrad has {', '.join(_DTYPES.values())}; convert it before "
                         "saving (in PyTorch: tensor.float())")
    array: npt.NDArray[Any] = file.get_tensor(name)
    if array.dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
        raise ValueError(f"{name!r} has bools that are neither 0 nor 1")
    return array


def _checksum(document: str, arrays: Arrays) -> str:
    checksum = zlib.crc32(document.encode())
    for name, array in sorted(arrays.items()):
        checksum = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), checksum)
        checksum = zlib.crc32(array.reshape(-1).view(np.uint8).data, checksum)
    return f"{checksum:08x}"


def _replace(path: Path, content: bytes) -> None:
    """Writes a new file beside `path` and lets it take that place when it is on the disk."""
    path.parent.stat()  # the usual error, with its name, where there is no such folder
    temporary = path.with_name(f".{urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as file:  # with the permissions of any new file
            file.write(content)
            file.flush()
            fsync(file.fileno())
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o7777)
        temporary.replace(path)
    except BaseException:  # Ctrl-C as well
        temporary.unlink(missing_ok=True)
        raise
