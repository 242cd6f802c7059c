"""No public name, operator or parameter of minigrad is left out of what is replayed in PyTorch, save those listed here.

What is replayed are functions of `m`; this test reads their source. In it `m.sum(x, 0)` covers the function "sum" with
its parameters "sum(input)" and "sum(dim)", `x.sum()` the method ".sum", and `x + y` the operator ".__add__".
What is only refused, in test_errors.py, is not covered.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from public_names import CLASSES, MODULES, members

from . import replay  # noqa: F401  (without PyTorch nothing is replayed)

pytestmark = pytest.mark.oracle

LEFT_OUT = {
    "Function": "PyTorch's works with static methods and a context",
    "GradcheckError": "PyTorch has no such class",
    "corr2d": "the book's; it calls conv2d, which is replayed",
    "nn.functional.corr2d": "likewise",
    "device": "devices have other names",
    "get_backend": "PyTorch has no such objects",
    "get_default_device": "devices have other names",
    "set_default_device": "devices have other names",
    "save": "PyTorch's writes pickles; test_exchange.py goes by way of safetensors",
    "load": "likewise",
    "capture": "PyTorch has CUDA graphs, which are for another machine",
    "grad": "is autograd.grad, which is replayed",
    "gradcheck": "its verdicts on right and wrong gradients are known without PyTorch",
    "gradgradcheck": "likewise",
    "explain_conv2d": "minigrad's own, to learn with",
    "conv2d_matrix": "likewise",
    "record": "likewise",
    "draw": "likewise",
    "examine": "likewise",
    "laboratory": "likewise",
    "compare": "likewise",
    "doctor": "likewise",
    "Tensor": "functions make them",
    ".__rmatmul__": "for an array on the left, which PyTorch refuses",
    ".array": "the memory on the device",
    ".creator": "PyTorch's grad_fn, of other classes",
    ".device": "devices have other names",
    ".forward": "what modules define and calling them calls",
    ".get_lr": "what schedules define and step() calls",
    ".hooks": "seen through what hooks do",
    ".version": "the counter of writes, seen through what it refuses",
}
UNNAMED = {"device": "devices have other names", "self": "", "args": "", "kwds": ""}  # parameters

OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.Pow: "pow", ast.MatMult: "matmul",
    ast.FloorDiv: "floordiv", ast.Mod: "mod", ast.LShift: "lshift", ast.RShift: "rshift",
    ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor", ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert",
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip
PUBLIC = re.compile(rf"[a-zA-Z]\w*|__[ir]?({'|'.join(OPERATORS.values())})__")


def public() -> dict[str, Any]:
    """Every public name with what it stands for. Names with a dot in front are members of a class, whichever."""
    names = {f"{home}.{name}".removeprefix("."): it for home, its in MODULES.items() for name, it in its.items()}
    names |= {f".{name}": value for owner in CLASSES.values() for name, value in members(owner).items()}
    return {name: value for name, value in names.items() if PUBLIC.fullmatch(name.rpartition(".")[2])}


def parameters(name: str, value: Any) -> list[str]:
    """The names of a function's parameters, in their order."""
    if not callable(value) or name.startswith(".__"):
        return []
    names = [parameter for parameter in inspect.signature(value).parameters if parameter not in UNNAMED]
    return names[1:] if name.startswith(".") and "self" not in inspect.signature(value).parameters else names


def wanted(names: dict[str, Any]) -> set[str]:
    """The public names, and "name(parameter)" for each of their parameters."""
    found = set(names) - set(LEFT_OUT)
    return found | {f"{name}({parameter})" for name in found for parameter in parameters(name, names[name])}


def replayed(names: dict[str, Any]) -> Iterator[str]:
    """The same for what the functions of `m` in this directory use."""
    here = Path(__file__)
    for path in set(here.parent.glob("*.py")) - {here.with_name("test_errors.py")}:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            arguments = function.args.args if isinstance(function, (ast.Lambda, ast.FunctionDef)) else []
            if arguments and arguments[0].arg == "m":
                for node in ast.walk(function):
                    yield from uses(node, names)


def uses(node: ast.AST, names: dict[str, Any]) -> Iterator[str]:
    match node:
        case ast.Attribute():
            yield dotted(node)
        case ast.BinOp(left=ast.Constant(), op=op):
            yield f".__r{OPERATORS.get(type(op))}__"
        case ast.BinOp(op=op) | ast.UnaryOp(op=op):
            yield f".__{OPERATORS.get(type(op))}__"
        case ast.AugAssign(op=op):
            yield f".__i{OPERATORS.get(type(op))}__"
        case ast.Compare(ops=ops):
            yield from (f".__{OPERATORS.get(type(op))}__" for op in ops)
        case ast.Call(func=ast.Attribute() as function, args=args, keywords=keywords):
            name = dotted(function)
            known = parameters(name, names.get(name))
            by_position = [known[min(position, len(known) - 1)] for position in range(len(args)) if known]  # or *sizes
            by_name = [keyword.arg for keyword in keywords]
            yield from (f"{name}({parameter})" for parameter in by_position + by_name)


def dotted(node: ast.AST) -> str:
    """"nn.Linear" for m.nn.Linear, ".sum" for an attribute of anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join(parts) if isinstance(node, ast.Name) and node.id == "m" else f".{parts[-1]}"


def test_nothing_public_is_left_out() -> None:
    names = public()
    assert sorted(wanted(names) - set(replayed(names))) == []


def test_what_is_left_out_exists() -> None:
    assert sorted(set(LEFT_OUT) - set(public())) == []
