"""How long one training step of the book's edge kernel takes: 6 x 8 numbers, so all but the bookkeeping is nothing.

    python benchmarks/edge_kernel.py
    python benchmarks/edge_kernel.py --ways cpu capture torch --rounds 9

The same lines run with minigrad ("cpu", "reference"), with minigrad.capture ("capture") and with PyTorch ("torch"),
each in a process of its own with one thread; they take turns. Printed are the median over the rounds and PyTorch's time
over it. A round is the least of many short measurements, since all else that the machine does makes a step longer.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec

WAYS = ["torch", "cpu", "capture", "reference"]
STEPS, MEASUREMENTS = 200, 50


def training_step(way):
    library = import_module("torch" if way == "torch" else "minigrad")
    if way == "torch":
        library.set_num_threads(1)
    elif way == "reference":
        library.set_default_device("reference")
    image, edges = library.ones(1, 1, 6, 8), library.zeros(1, 1, 6, 7)
    image[..., 2:6] = 0
    edges[..., 1], edges[..., 5] = 1, -1
    layer = library.nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
    optimizer = library.optim.SGD(layer.parameters(), lr=0.03)

    def step():
        loss = ((layer(image) - edges) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return library.capture(step, layer.parameters()) if way == "capture" else step


def turn_here(way):
    """Seconds per step, in this process."""
    step, seconds = training_step(way), []
    for _ in range(MEASUREMENTS):
        start = time.perf_counter()
        for _ in range(STEPS):
            step()
        seconds.append((time.perf_counter() - start) / STEPS)
    return min(seconds)


def turn(way):
    """The same in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--turn", way]
    return float(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    installed = [way for way in WAYS if way != "torch" or find_spec("torch")]
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=installed)
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--turn", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(turn_here(options.turn))
        return
    rounds = [{way: turn(way) for way in options.ways} for _ in range(options.rounds)]
    median = {way: statistics.median(seconds[way] for seconds in rounds) for way in options.ways}
    print("One training step of the edge kernel")
    for way, seconds in median.items():
        ratio = f"{median['torch'] / seconds:5.1f} x" if "torch" in median else ""
        print(f"  {way:10} {1e6 * seconds:8.1f} us {ratio}")


if __name__ == "__main__":
    main()
