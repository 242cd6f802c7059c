"""Training a network on each device and in PyTorch: what lenet.py and vgg.py share.

The same lines run with minigrad and with PyTorch. In its turn (turns.py) each library does an epoch to warm up and one
that counts. Printed are medians over the rounds: the time of an epoch; the most memory the process had (its peak
resident set, which counts what it imported); and the page faults of a step, which say how much memory the system had to
hand out anew.
"""

import argparse
import functools
import json
import resource
import sys
import time
from importlib import import_module
from importlib.util import find_spec

from turns import USABLE, take_turns, turn

NEEDS = {"cpu": "minigrad_ext", "opencl": "pyopencl", "torch": "torch"}
INSTALLED = [device for device, module in NEEDS.items() if find_spec(module)]


def turn_here(prepare, device, options):
    """One library's turn, in this process: seconds, MB and page faults. `prepare` gives the step that is timed."""
    library = import_module("torch" if device == "torch" else "minigrad")
    if device == "torch":
        library.set_num_threads(options.threads)
    else:
        library.set_default_device(device)
    library.manual_seed(0)
    step, steps = prepare(library, options.batch), -(-options.images // options.batch)
    for _ in range(2):
        start, faults = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for number in range(steps):
            step(number)
        seconds = time.perf_counter() - start
        usage = resource.getrusage(resource.RUSAGE_SELF)
    kilobyte = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    return {"seconds": seconds, "MB": usage.ru_maxrss * kilobyte / 1e6, "faults": (usage.ru_minflt - faults) / steps}


def compare(script, devices, rounds, **settings):
    """The medians of each library: {"seconds", "MB", "faults"} by device."""
    arguments = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    command = [script, *arguments, "--turn"]
    threads = settings.get("threads", USABLE)
    return take_turns({each: functools.partial(turn, [*command, each], threads) for each in devices}, rounds)


def main(network, prepare, batch, images):
    """Reads the command line, measures, and prints a line for each device."""
    parser = argparse.ArgumentParser(description=f"Times the training of {network}.")
    parser.add_argument("--devices", nargs="+", choices=NEEDS, default=INSTALLED)
    parser.add_argument("--batch", type=int, default=batch, metavar="N")
    parser.add_argument("--images", type=int, default=images, metavar="N", help="in an epoch")
    parser.add_argument("--threads", type=int, default=USABLE, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--turn", choices=NEEDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(json.dumps(turn_here(prepare, options.turn, options)))
        return
    settings = {name: getattr(options, name) for name in ("batch", "images", "threads")}
    print(f"{network}, {options.images} images in batches of {options.batch}, {options.threads} threads: an epoch")
    for device, found in compare(sys.argv[0], options.devices, options.rounds, **settings).items():
        seconds, megabytes, faults = found.values()
        print(f"  {device:8} {seconds:7.3f} s  {options.images / seconds:6.0f} images/s  {megabytes:5.0f} MB at most"
              f"  {faults:6.0f} page faults a step")
