"""What the command lines of the examples have in common: --device, --seed, --output, and what makes no sense."""

import argparse
import math
from importlib.util import find_spec
from pathlib import Path

import minigrad
from minigrad.backends import NAMES, get_backend

DEFAULT = " (default: %(default)s)"


def new_parser(description, output, metavar="FILE"):
    """A parser with the arguments that all examples take; `output` explains --output."""
    parser = argparse.ArgumentParser(description=description)
    default = minigrad.get_default_device()
    parser.add_argument("--device", choices=NAMES, default=default, help="where to compute" + DEFAULT)
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the random numbers" + DEFAULT)
    parser.add_argument("--output", type=Path, metavar=metavar, help=output)
    return parser


def check(parser, options, **least):
    """Ends the program as argparse does unless numbers are at least `least`, --lr is positive and the device starts."""
    for name, limit in {"seed": 0, **least}.items():
        value, option = getattr(options, name), name.replace("_", "-")
        if value < limit:
            parser.error(f"--{option} {value} must " + ("not be negative" if limit == 0 else f"be at least {limit}"))
    if not 0 < getattr(options, "lr", 1) < math.inf:
        parser.error(f"--lr {options.lr} must be a positive number")
    try:
        get_backend(options.device)
    except (ImportError, RuntimeError, ValueError) as error:
        parser.error(f"--device {options.device}: {error}")


def require(parser, package, reason):
    """Ends the program unless the package is installed."""
    if not installed(package):
        parser.error(f"{reason}; install it with: pip install {package}")


def installed(package):
    return find_spec(package) is not None


def settle_picture(parser, options, name):
    """options.output becomes out/NAME_DEVICE.png unless told, None without matplotlib; checked, its folder made."""
    if options.output is None:
        options.output = Path("out", f"{name}_{options.device}.png") if installed("matplotlib") else None
    else:
        require(parser, "matplotlib", "--output: a picture needs matplotlib")
        if options.output.suffix != ".png":
            parser.error(f"--output {options.output} must end in .png")
    if options.output is not None:
        try:
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.open("ab").close()  # fails now rather than after learning
        except OSError as error:
            parser.error(f"--output {options.output}: {error.strerror}")
