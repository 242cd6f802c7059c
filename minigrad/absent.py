"""Names that PyTorch has and minigrad has not: what to write instead."""

import importlib
from collections.abc import Mapping
from typing import Any

INSTEAD = {  # functions, methods and classes, wherever PyTorch has them
    "FloatTensor": "minigrad.tensor(data, dtype=minigrad.float32)",
    "GRU": "a module of Linear layers, and a loop over the steps",
    "LSTM": "a module of Linear layers, and a loop over the steps",
    "LongTensor": "minigrad.tensor(data, dtype=minigrad.int64)",
    "RNN": "a module of Linear layers, and a loop over the steps",
    "Size": "a tuple: that is what x.shape is",
    "accelerator": "device = minigrad.get_default_device()",
    "addmm": "input + mat1 @ mat2",
    "argsort": "np.argsort(x.numpy())",
    "bernoulli": "(minigrad.rand(p.shape) < p).float()",
    "bfloat16": "minigrad.float32",
    "bincount": "F.one_hot(x).sum(0)",
    "cdist": "((x[:, None] - y) ** 2).sum(-1).sqrt()",
    "clip": "minigrad.clamp(x, min, max)",
    "compile": "model as it is",
    "concat": "minigrad.cat(tensors, dim)",
    "cuda": "x.to('opencl')",
    "detach_": "x = x.detach()",
    "diag": "x * minigrad.eye(n) for a vector, x[range(n), range(n)] for a matrix",
    "einsum": "permute, reshape and matmul",
    "float16": "minigrad.float32",
    "grad_fn": "x.creator",
    "half": "x.float()",
    "hstack": "minigrad.cat(tensors, dim=1)",
    "index_select": "x[:, index], for dim=1",
    "inf": "float('inf')",
    "is_tensor": "isinstance(x, minigrad.Tensor)",
    "linalg": "x.norm(), or NumPy's linalg on x.numpy()",
    "log10": "x.log() / math.log(10)",
    "log2": "x.log() / math.log(2)",
    "log_softmax": "F.log_softmax(x, dim)",
    "masked_select": "x[mask]",
    "meshgrid": "x[:, None] and y, which broadcast",
    "multinomial": "(p.cumsum(-1)[..., :-1] < minigrad.rand(len(p), 1)).sum(-1, keepdim=True), for rows p",
    "normal_": "nn.init.normal_(x, mean, std)",
    "normalize": "x / x.norm(dim=1, keepdim=True)",
    "pi": "math.pi",
    "roll": "minigrad.cat([x[-n:], x[:-n]])",
    "rsqrt": "x ** -0.5",
    "scatter_": "x[rows, index] = value, or F.one_hot(index)",
    "set_default_dtype": "dtype=minigrad.float64 where tensors are made, and model.double()",
    "set_grad_enabled": "`with minigrad.no_grad():` where nothing is to be recorded",
    "softmax": "F.softmax(x, dim)",
    "sort": "x[np.argsort(x.numpy(force=True))], for a vector",
    "take_along_dim": "minigrad.gather(x, dim, index)",
    "tan": "x.sin() / x.cos()",
    "topk": "x.max(dim), or x[np.argsort(x.numpy(force=True))[-k:]]",
    "tril": "x * (minigrad.arange(n)[:, None] >= minigrad.arange(m))",
    "triu": "x * (minigrad.arange(n)[:, None] <= minigrad.arange(m))",
    "uniform_": "nn.init.uniform_(x, a, b)",
    "vstack": "minigrad.cat(tensors, dim=0)",
}


def absent(owner: str, name: str) -> AttributeError:
    """The error for a name that `owner` does not have."""
    remedy = f"Write {INSTEAD[name]}." if name in INSTEAD else "docs/from_pytorch.md lists what there is."
    return AttributeError(f"{owner} has no {name!r}. {remedy}")


def explain_absence(namespace: dict[str, Any], late: Mapping[str, str] | None = None) -> None:
    """Makes a module, given its globals(), say so of names that it does not have.

    Names in `late`, each with the module that has it, are loaded when they are first asked for.
    """
    late = late or {}

    def missing(name: str) -> Any:
        if name not in late:
            raise absent(namespace["__name__"], name)
        value = getattr(importlib.import_module(late[name]), name)
        return namespace.setdefault(name, value)

    namespace["__getattr__"] = missing
    namespace["__dir__"] = lambda: sorted({*namespace, *late})
