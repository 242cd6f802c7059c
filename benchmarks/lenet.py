"""How long an epoch of LeNet-5 takes on each device and in PyTorch: the training of examples/lenet_digits.py.

    python benchmarks/lenet.py
    python benchmarks/lenet.py --devices cpu torch --threads 1 --rounds 5

The same lines run with minigrad and with PyTorch: 4,000 images in batches of 32, shifted, forward, backward, a step of
Adam. Each library has a process of its own and the same number of threads; they take turns, and in its turn each does
an epoch to warm up and one that counts. Printed is the median over the rounds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec

NEEDS = {"cpu": "minigrad_ext.direct", "opencl": "pyopencl", "torch": "torch"}
POOLS = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT"]
IMAGES, BATCH = 4000, 32


def lenet(nn):
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip


def shifted(library, images, most=2):
    count, _, height, width = images.shape
    padded = library.nn.functional.pad(images.squeeze(1), (most,) * 4)
    down, right = library.randint(0, 2 * most + 1, (2, count, 1, 1))
    rows = library.arange(height).reshape(1, -1, 1) + down
    columns = library.arange(width).reshape(1, 1, -1) + right
    return padded[library.arange(count).reshape(-1, 1, 1), rows, columns].unsqueeze(1)


def epoch(library, model, optimizer, images, labels):
    """Seconds for all images."""
    start = time.perf_counter()
    for rows in library.randperm(len(labels)).split(BATCH):
        loss = library.nn.functional.cross_entropy(model(shifted(library, images[rows])), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device
    return time.perf_counter() - start


def turn_here(device, threads):
    """One library's turn, in this process."""
    library = import_module("torch" if device == "torch" else "minigrad")
    if device == "torch":
        library.set_num_threads(threads)
    else:
        library.set_default_device(device)
    library.manual_seed(0)
    model = lenet(library.nn)
    optimizer = library.optim.Adam(model.parameters(), lr=0.003)
    images, labels = library.rand(IMAGES, 1, 28, 28), library.randint(0, 10, (IMAGES,))
    return [epoch(library, model, optimizer, images, labels) for _ in range(2)][-1]


def turn(device, threads):
    """The same in a process of its own."""
    environment = os.environ | dict.fromkeys(POOLS, str(threads))
    command = [sys.executable, __file__, "--turn", device, "--threads", str(threads)]
    return float(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    installed = [device for device, module in NEEDS.items() if find_spec(module.partition(".")[0])]
    parser.add_argument("--devices", nargs="+", choices=NEEDS, default=installed)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--turn", choices=NEEDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(turn_here(options.turn, options.threads))
        return
    rounds = [{device: turn(device, options.threads) for device in options.devices} for _ in range(options.rounds)]
    print(f"LeNet-5, {IMAGES} images in batches of {BATCH}, {options.threads} threads: seconds per epoch")
    for device in options.devices:
        seconds = statistics.median(times[device] for times in rounds)
        print(f"  {device:8} {seconds:6.2f} s  {IMAGES / seconds:6.0f} images/s")


if __name__ == "__main__":
    main()
