"""Training a network on each device and in PyTorch: what lenet.py and vgg.py share.

Method. The same lines run with minigrad and with PyTorch. Each library has a process of its own and the same number of
threads; they take turns, and in its turn each does an epoch to warm up and one that counts. Printed are medians over the
rounds: the time of an epoch; the most memory the process had (its peak resident set, which counts what it imported);
and the page faults of a step, which say how much memory the system had to hand out anew.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec

NEEDS = {"cpu": "minigrad_ext.conv2d", "opencl": "pyopencl", "torch": "torch"}
POOLS = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT"]


def turn_here(prepare, device, options):
    """One library's turn, in this process: seconds, MB and page faults. `prepare` gives the step that is to be timed."""
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


def turn(device, options):
    """The same in a process of its own."""
    environment = os.environ | dict.fromkeys(POOLS, str(options.threads))
    command = [sys.executable, sys.argv[0], "--turn", device]
    for name in ("threads", "batch", "images"):
        command += [f"--{name}", str(getattr(options, name))]
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def main(network, prepare, batch, images):
    """Reads the command line, measures, and prints a line for each device."""
    parser = argparse.ArgumentParser(description=f"Times the training of {network}.")
    installed = [device for device, module in NEEDS.items() if find_spec(module.partition(".")[0])]
    parser.add_argument("--devices", nargs="+", choices=NEEDS, default=installed)
    parser.add_argument("--batch", type=int, default=batch, metavar="N")
    parser.add_argument("--images", type=int, default=images, metavar="N", help="in an epoch")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--turn", choices=NEEDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(json.dumps(turn_here(prepare, options.turn, options)))
        return
    rounds = [{device: turn(device, options) for device in options.devices} for _ in range(options.rounds)]
    print(f"{network}, {options.images} images in batches of {options.batch}, {options.threads} threads: an epoch")
    for device in options.devices:
        seconds, megabytes, faults = (
            statistics.median(each[device][name] for each in rounds) for name in ("seconds", "MB", "faults")
        )
        print(f"  {device:8} {seconds:7.3f} s  {options.images / seconds:6.0f} images/s  {megabytes:5.0f} MB at most"
              f"  {faults:6.0f} page faults a step")
