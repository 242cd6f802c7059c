"""What there is to see, from the command line.

    python -m minigrad                      the list
    python -m minigrad lab --lr 0.036       a text in the terminal, and a page, out/lab.html
    python -m minigrad explain --open       opens the page in the browser

Each command explains its options: python -m minigrad lab --help
"""

import argparse
import os
import runpy
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import minigrad
from minigrad import Tensor, nn, optim
from minigrad.nn import functional as F
from minigrad.teaching.page import Page

Size = tuple[int, ...]


def edge(options: argparse.Namespace) -> int:
    """learn the edge kernel [1, -1] from an image and its edges, as the book does"""
    minigrad.manual_seed(1)
    X = minigrad.ones(6, 8)
    X[:, 2:6] = 0
    Y = minigrad.corr2d(X, minigrad.tensor([[1.0, -1.0]]))
    layer = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
    optimizer = optim.SGD(layer.parameters(), lr=0.03)
    for epoch in range(21):
        loss = ((layer(X.reshape(1, 1, 6, 8)) - Y.reshape(1, 1, 6, 7)) ** 2).sum()
        if epoch % 2 == 0:
            print(f"epoch {epoch:2}  loss {loss.item():9.4f}  kernel {layer.weight.flatten().tolist()}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("Why 0.03, and what another learning rate would do: python -m minigrad lab")
    return 0


def explain(options: argparse.Namespace) -> int:
    """every cell of a convolution and of its gradients, as the sum of products that it is"""
    minigrad.manual_seed(0)
    x, w = [minigrad.randint(-3, 4, shape).float() for shape in (options.image, options.kernel)]
    parameters = {"stride": options.stride, "padding": options.padding, "dilation": options.dilation}
    y = F.conv2d(x[None, None], w[None, None], **parameters)
    dy = minigrad.randint(-2, 3, y.shape).float()
    return _shown(minigrad.explain_conv2d(x, w, **parameters, grad_output=dy), options)


def replay(options: argparse.Namespace) -> int:
    """backward() step by step, beside the plain recursion that would be wrong"""
    if options.of == "twice":
        a = minigrad.tensor(1.0, requires_grad=True)
        with minigrad.record() as tape:
            b = a + a
            c = b + b
            c.backward()
    elif options.of == "neuron":
        x = minigrad.tensor([2.0, 0.5])
        w, bias = minigrad.tensor([-1.0, 3.0], requires_grad=True), minigrad.tensor(0.25, requires_grad=True)
        with minigrad.record() as tape:
            y = ((x * w).sum() + bias).tanh()
            loss = (y - 1) ** 2
            loss.backward()
    else:
        minigrad.manual_seed(0)
        images, digits = minigrad.rand(2, 1, 12, 12), minigrad.tensor([3, 7])
        network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(100, 10))
        with minigrad.record() as tape:
            loss = F.cross_entropy(network(images), digits)
            loss.backward()
    return _shown(tape.replay(depth=options.depth), options)


def clinic(options: argparse.Namespace) -> int:
    """gradcheck with a diagnosis: of FILE, which defines operation(*inputs) and inputs(), or of a patient of ours"""
    if options.file is None:

        def gate(x: Tensor) -> Tensor:
            """x sigmoid(x), by someone who wanted to save memory"""
            return x * x.detach().sigmoid()

        operation: Callable[..., Any] = gate
        inputs = [minigrad.randn(3, 4, dtype="float64", requires_grad=True)]
    else:
        if not options.file.is_file():
            options.refuse(f"{options.file} is no file; it should be one like those in examples/clinic")
        names = runpy.run_path(str(options.file), run_name="patient")
        if "operation" not in names or "inputs" not in names:
            options.refuse(f"{options.file} must define operation(*inputs) and inputs(), as in examples/clinic")
        operation, inputs = names["operation"], names["inputs"]()
    examination = minigrad.examine(operation, inputs)
    _shown(examination, options)
    return 0 if examination.diagnosis is None or options.file is None else 1


def lab(options: argparse.Namespace) -> int:
    """the edge kernel's loss: what a learning rate will do, foretold and measured"""
    page = minigrad.laboratory(options.lr, options.momentum, options.start, reduction=options.reduction,
                               convolve=options.convolve, steps=options.steps)
    return _shown(page, options)


def compare(options: argparse.Namespace) -> int:
    """one convolution on every rung, from plain Python to the fastest, and the sources side by side"""
    shapes = None
    parameters = {name: getattr(options, name) for name in ("stride", "padding", "dilation", "groups")}
    if options.x or options.w or parameters != {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}:
        if not (options.x and options.w):
            options.refuse("--x and --w go together, and the others with them: --x 1,64,56,56 --w 64,64,3,3")
        shapes = [(options.x, options.w, parameters)]
    return _shown(minigrad.compare("conv2d", shapes, seconds=options.seconds), options)


def doctor(options: argparse.Namespace) -> int:
    """what minigrad needs and finds here, and for every fault the command that mends it"""
    report = minigrad.doctor()
    print(report)
    return 0 if report.well else 1


def _shown(page: Page, options: argparse.Namespace) -> int:
    """Writes a page, prints its text, and opens it if that is wanted."""
    path = page.save(options.output or Path("out", f"{options.command}.html"))
    print(f"{page}\n\nPage: {path}")
    if options.open:
        webbrowser.open(path.resolve().as_uri())
    return 0


def _size(text: str) -> Size:
    """Numbers with commas or an x between them, as a tuple."""
    try:
        return tuple([int(part) for part in text.replace("x", ",").split(",")])
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must be whole numbers with commas between them") from None


def _rows_and_columns(text: str) -> Size:
    size = _size(text)
    if len(size) != 2 or min(size) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be two numbers, rows and columns, such as 6x7")
    return size


COMMANDS: list[Callable[[argparse.Namespace], int]] = [edge, explain, replay, clinic, lab, compare, doctor]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m minigrad", description="What there is to see.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    add = {}
    for command in COMMANDS:
        name, text = command.__name__, str(command.__doc__)
        its = commands.add_parser(name, help=text, description=text)
        its.set_defaults(run=command, refuse=its.error)
        add[name] = its.add_argument
        if name not in ("edge", "doctor"):
            its.add_argument("--output", type=Path, metavar="FILE", help=f"the page (default: out/{name}.html)")
            its.add_argument("--open", action="store_true", help="open it in the browser")
    for name, size in (("image", (6, 7)), ("kernel", (3, 3))):
        add["explain"](f"--{name}", type=_rows_and_columns, default=size, metavar="ROWSxCOLUMNS", help="its size")
    for its_name, least in (("explain", {"stride": 2, "padding": 1, "dilation": 1}),
                            ("compare", {"stride": 1, "padding": 0, "dilation": 1, "groups": 1})):
        for name, value in least.items():
            add[its_name](f"--{name}", type=int, default=value, metavar="N", help="(default: %(default)s)")
    add["replay"]("--of", choices=["twice", "neuron", "network"], default="twice",
                  help="b = a + a; c = b + b, a neuron, or a network (default: %(default)s)")
    add["replay"]("--depth", type=int, metavar="N", help="how many levels of modules to open")
    add["clinic"]("file", type=Path, nargs="?", metavar="FILE", help="such as examples/clinic/01_square.py")
    add["lab"]("--lr", type=float, default=0.03, metavar="R", help="learning rate (default: %(default)s)")
    add["lab"]("--momentum", type=float, default=0.0, metavar="M", help="(default: %(default)s)")
    add["lab"]("--start", type=float, nargs=2, default=[0.5, 0.3], metavar=("A", "B"), help="the kernel to begin with")
    add["lab"]("--steps", type=int, default=10, metavar="N", help="(default: %(default)s)")
    add["lab"]("--reduction", choices=["sum", "mean"], default="sum", help="of the loss (default: %(default)s)")
    add["lab"]("--convolve", action="store_true", help="flip the kernel, as a true convolution does")
    add["compare"]("--x", type=_size, metavar="N,C,H,W", help="the shape of the images")
    add["compare"]("--w", type=_size, metavar="O,C,H,W", help="the shape of the kernels")
    add["compare"]("--seconds", type=float, default=0.2, metavar="S", help="to spend on each (default: %(default)s)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; without one, lists them. Returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    refused: tuple[type[Exception], ...] = (ImportError, OSError, TypeError, ValueError)  # of what is asked for
    if options.command == "clinic" and options.file is not None:
        refused = (OSError,)  # the others are those of the file, and its author wants the line
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough, as `head` has; and at the end nothing is to be flushed either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except refused as error:
        options.refuse(str(error))
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
