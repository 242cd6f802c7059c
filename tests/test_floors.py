"""The order of the house: a file imports only from floors below its own, and operations know no device from another."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import minigrad
from minigrad.backends import NAMES as DEVICES

# From the ground up; each name stands for minigrad.<name>. Files on one floor do not import each other.
FLOORS = [
    ["absent", "arguments", "cuda", "dtypes", "function", "printing", "backends.geometry", "backends.threads"],
    ["autograd", "backends.base"],
    ["backends.extension", "backends.composed", "backends.opencl_indexing", "backends.opencl_products"],
    ["backends.reference"],
    ["backends.cpu_networks", "backends.ladder", "backends.opencl_runtime"],
    ["backends.cpu", "backends.opencl"],
    ["backends"],
    ["ops", "ops.convert", "ops.shape"],
    ["ops.index"],
    ["ops.reduce"],
    ["ops.compare", "ops.matmul", "ops.conv", "ops.window"],
    ["ops.arithmetic", "ops.write"],
    ["ops.elementwise"],
    ["ops.statistics"],
    ["methods"],
    ["tensor"],
    ["creation"],
    ["random"],
    ["capture", "nn.functional.arguments", "nn.init", "nn.utils", "differences", "serialization", "utils.data"],
    ["looks", "nn.functional.activation", "nn.functional.linear", "nn.functional.normalization",
     "nn.functional.pooling", "nn.functional.resizing", "nn.functional.sparse"],
    ["diagnosis", "nn.functional.convolution", "nn.functional.loss"],
    ["gradcheck", "nn.functional"],
    ["nn.modules.module"],
    ["nn.modules.activation", "nn.modules.container", "nn.modules.linear", "nn.modules.loss",
     "nn.modules.normalization", "nn.modules.pooling", "nn.modules.sparse", "optim.optimizer"],
    ["optim.adam", "optim.lr_scheduler", "optim.sgd"],
    ["optim"],
    ["nn.modules.convolution"],
    ["nn.modules.lazy"],
    ["nn.modules"],
    ["nn", "utils", "teaching", "teaching.doctor", "teaching.layout", "teaching.page"],
    ["teaching.clinic", "teaching.compare", "teaching.convolution", "teaching.graph", "teaching.laboratory"],
    ["teaching.drawing"],
    ["teaching.tape"],
    ["minigrad"],
    ["__main__"],
]
FLOOR = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}

# Beside the standard library and NumPy: what a file may use, and nobody else.
OUTSIDE = {"backends.extension": ["minigrad_ext"], "backends.opencl_runtime": ["pyopencl"]}

SHARED = ["backends", "backends.base", "backends.geometry", "backends.threads"]  # what others may import
# What only some need is imported when it is first asked for.
LOADS_LATE = ["absent", "backends", "serialization", "teaching.compare", "teaching.doctor"]
ANNOTATES = {"function": "tensor"}  # a name for type checkers, imported under `if TYPE_CHECKING:`
KNOW_NO_DEVICE = ["function", "autograd", "ops"]  # to them, back ends are all the same


def breaches(module: str, source: str) -> list[str]:
    """What in the source of `module` breaks the order, each with its line."""
    tree = ast.parse(source)
    late, annotations = _inside_functions(tree), _inside_type_checking(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for target in _targets(node):
                if not (node in annotations and ANNOTATES.get(module) == target):
                    found += [(node.lineno, f"{reason} {target}") for reason in _objections(module, target)]
            if node in late:
                found.append((node.lineno, f"imports inside a function: {ast.unparse(node)}"))
        elif _loads(node) and module not in LOADS_LATE:
            found.append((node.lineno, f"imports late: {ast.unparse(node)}"))
        if module.partition(".")[0] in KNOW_NO_DEVICE and _tells_devices_apart(node):
            found.append((node.lineno, f"tells devices apart: {ast.unparse(node)}"))
    return [f"minigrad.{module}, line {line}: {what}" for line, what in sorted(found)]


def _inside_functions(tree: ast.AST) -> set[ast.AST]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    functions = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    return {node for function in functions for node in ast.walk(function)}


def _inside_type_checking(tree: ast.AST) -> set[ast.AST]:
    """What stands under `if TYPE_CHECKING:`, without its `else:`."""
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {node for test in tests for statement in test.body for node in ast.walk(statement)}


def _loads(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__"))


def _targets(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules that an import statement reads: ours as FLOORS calls them, others by their first name."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            path = alias.name
        elif alias.name == "*" or node.level:
            yield "." * node.level + ".".join(filter(None, [node.module, alias.name]))
            continue
        else:
            path = f"{node.module}.{alias.name}"
        package, _, rest = path.partition(".")
        if package != "minigrad":
            yield package
        elif rest in FLOOR:  # from minigrad.ops import conv
            yield rest
        else:  # from minigrad.ops.conv import conv2d
            yield rest.rpartition(".")[0] or "minigrad"


def _objections(module: str, target: str) -> Iterator[str]:
    """Why `module` may not import `target`."""
    if target.endswith(".*"):
        yield "imports everything:"
    elif target.startswith("."):
        yield "imports by a relative name"
    elif target in FLOOR:
        if FLOOR[target] >= FLOOR[module]:
            yield "imports from a floor that is not below its own:"
        if target.startswith("backends") and target not in SHARED and not module.startswith("backends"):
            yield "imports a particular back end:"
    elif target not in sys.stdlib_module_names and target != "numpy" and target not in OUTSIDE.get(module, []):
        yield "imports what is not for this file:"


def _tells_devices_apart(node: ast.AST) -> bool:
    """A device's name in quotes, a look at its name, or at the class of a device."""
    if isinstance(node, ast.Constant):
        return node.value in DEVICES
    if isinstance(node, (ast.Compare, ast.Match)):
        return "device.name" in ast.unparse(node)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass", "type"):
        return any(ast.unparse(argument).endswith(("device", "Backend")) for argument in node.args)
    return False


def _files() -> dict[str, Path]:
    """Every file of minigrad, under the name it has in FLOORS."""
    root = Path(minigrad.__file__).parent
    names = {path: ".".join(path.relative_to(root).with_suffix("").parts) for path in root.rglob("*.py")}
    return {name.removesuffix("__init__").rstrip(".") or "minigrad": path for path, name in names.items()}


def test_every_file_has_a_floor():
    assert sorted(_files()) == sorted(FLOOR), "FLOORS must name every file of minigrad, and no other"


@pytest.mark.parametrize("module", sorted(_files().keys() & FLOOR.keys()))
def test_files_import_only_from_floors_below(module):
    assert breaches(module, _files()[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source", "objection"),
    [
        ("ops.conv", "from minigrad.tensor import Tensor", "not below its own: tensor"),
        ("ops.conv", "from minigrad import tensor", "not below its own: tensor"),
        ("ops.conv", "import minigrad.tensor", "not below its own: tensor"),
        ("ops.conv", "from minigrad import Tensor", "not below its own: minigrad"),
        ("ops.conv", "from minigrad.ops import matmul", "not below its own: ops.matmul"),
        ("ops.shape", "from minigrad.ops.index import getitem", "not below its own: ops.index"),
        ("autograd", "if TYPE_CHECKING:\n    from minigrad.tensor import Tensor", "not below its own: tensor"),
        ("function", "if TYPE_CHECKING:\n    from minigrad.creation import zeros", "not below its own: creation"),
        ("function", "if TYPE_CHECKING:\n    pass\nelse:\n    import minigrad.tensor", "not below its own: tensor"),
        ("nn.init", "from math import *", "imports everything: math.*"),
        ("nn.init", "from minigrad.creation import *", "imports everything: minigrad.creation.*"),
        ("nn.modules", "from . import init", "relative name .init"),
        ("tensor", "from minigrad.backends.cpu import CPU", "particular back end: backends.cpu"),
        ("tensor", "def to(self):\n    from minigrad.creation import zeros", "imports inside a function"),
        ("tensor", "def to(self):\n    import math", "imports inside a function"),
        ("tensor", "importlib.import_module('minigrad.creation')", "imports late"),
        ("tensor", "__import__('minigrad.creation')", "imports late"),
        ("creation", "import matplotlib.pyplot as plt", "not for this file: matplotlib"),
        ("backends.base", "from minigrad_ext import direct", "not for this file: minigrad_ext"),
        ("backends.opencl", "import pyopencl.array", "not for this file: pyopencl"),
        ("ops.conv", "if x.device.name == name: pass", "tells devices apart"),
        ("ops.conv", "on_host = x.device.name in ('cpu', 'reference')", "tells devices apart: 'cpu'"),
        ("ops.conv", "match x.device.name:\n    case 'opencl': pass", "tells devices apart"),
        ("ops.conv", "if isinstance(x.device, Reference): pass", "tells devices apart"),
        ("ops.conv", "type(self.device)", "tells devices apart"),
    ],
)
def test_a_breach_is_found(module, source, objection):
    assert any(objection in breach for breach in breaches(module, source)), breaches(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ops.conv", "import numpy as np\nfrom minigrad.function import Function\nfrom minigrad.ops import shape"),
        ("backends", "def get_backend(name):\n    return importlib.import_module(name)"),
        ("backends.opencl_runtime", "import pyopencl\nfrom minigrad.backends.base import Backend"),
        ("function", "if TYPE_CHECKING:\n    from minigrad.tensor import Tensor"),
        ("tensor", "device = '' if self.device.name == 'cpu' else self.device.name"),
        ("ops.convert", "if input.device is target: pass"),
    ],
)
def test_what_is_allowed_passes(module, source):
    assert breaches(module, source) == []
