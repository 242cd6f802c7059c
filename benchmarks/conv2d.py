"""How fast conv2d is on each device, beside NumPy, PyTorch and whatever else is installed.

    python benchmarks/conv2d.py                                    # on all shapes
    python benchmarks/conv2d.py --contenders cpu torch --shapes lenet-1 resnet-64 --rounds 5
    python benchmarks/conv2d.py --contenders cpu cpu:threads=1 torch:dtype=float64 cpu:batches=2
    python benchmarks/conv2d.py --contenders opencl:batches=16 torch-cuda:batches=16                  # a GPU

A contender is a device, and what is special about it: of which type the numbers are, how many threads work, or how many
batches are in the batch. In its turn (turns.py) it does every shape and both passes: one step to warm up, then steps
timed one by one, at least three and for at least --seconds, of which the median counts.

`forward` is y = conv2d(x, w) with no graph recorded; `both` is that with a graph, and the gradients of x and w.
GFLOP/s count the multiplications and additions in the definition, padding included, three times for `both`, whatever
the library really does. `x PyTorch` is PyTorch's time divided by the contender's: 2 means twice as fast as PyTorch.
"""

import argparse
import functools
import json
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import report
import tables
from libraries import NEEDS, can, steps
from shapes import CASES
from turns import USABLE, measure, take_turns, turn

PASSES = {"forward": 1, "both": 3}  # and how many of the three maps it computes
INSTALLED = [device for device, module in NEEDS.items() if find_spec(module) and device != "torch-cuda"]

Times = dict[str, dict[str, float]]  # seconds, by shape and pass


class Contender(NamedTuple):
    device: str
    dtype: str = "float32"
    threads: int = USABLE
    batches: int = 1

    @classmethod
    def parse(cls, text: str) -> "Contender":
        """From such as "torch:dtype=float64:threads=1"."""
        device, *settings = text.split(":")
        if device not in NEEDS:
            raise argparse.ArgumentTypeError(f"{device!r} is none of {', '.join(NEEDS)}")
        given = dict(setting.split("=") for setting in settings)
        return cls(device, **{name: value if name == "dtype" else int(value) for name, value in given.items()})  # type: ignore[arg-type]


def turn_here(contender: Contender, shapes: list[str], seconds: float) -> Times:
    """One contender's turn, in this process."""
    if contender.device.startswith("torch"):
        import_module("torch").set_num_threads(contender.threads)
    times: Times = {}
    for shape in shapes:
        case = CASES[shape]
        case = case._replace(x=(case.x[0] * contender.batches, *case.x[1:]))
        if can(contender.device, case):
            library = steps(contender.device, case, contender.dtype)
            times[shape] = {each: measure(library[each], seconds) for each in PASSES}
    return times


def compare(contenders: list[str], shapes: list[str], rounds: int, seconds: float) -> dict[str, Times]:
    """The medians of each contender, in processes that take turns."""

    def its_turn(text: str) -> Any:
        command = [__file__, "--turn", text, "--shapes", *shapes, "--seconds", str(seconds)]
        return turn(command, Contender.parse(text).threads)

    return take_turns({text: functools.partial(its_turn, text) for text in contenders}, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description="Times conv2d: forward, and forward with backward.")
    add = parser.add_argument
    add("--contenders", nargs="+", default=INSTALLED, metavar="DEVICE[:NAME=VALUE]", help=" ".join(NEEDS))
    add("--shapes", nargs="+", choices=CASES, default=list(CASES), metavar="SHAPE", help=" ".join(CASES))
    add("--rounds", type=int, default=3, help="turns of each contender")
    add("--seconds", type=float, default=0.05, help="to spend on each shape and pass in a turn")
    add("--turn", type=Contender.parse, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(json.dumps(turn_here(options.turn, options.shapes, options.seconds)))
        return
    times = compare(options.contenders, options.shapes, options.rounds, options.seconds)
    print(tables.facts(tables.conditions()), report.means(times), report.every_shape(times), sep="\n\n")


if __name__ == "__main__":
    main()
