"""Processes that take turns: how everything that is compared here is measured.

Each contender is measured in processes of its own, so that no pool of threads and no allocator disturbs another's, and
all get the same number of threads. The processes take turns, A B C A B C ..., for some rounds: when the machine gets
slower or busier, it does so for all. Medians over the rounds count.

A script's part is to print, for its turn, one value as JSON: a number, or a dictionary of such.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

POOLS = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT"]
USABLE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(command: list[str], threads: int = USABLE) -> str:
    """What Python prints with these arguments. Pools of threads learn their size from the environment."""
    environment = os.environ | dict.fromkeys(POOLS, str(threads))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # modules are compiled once, and not at every import
    command = [sys.executable, *command]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def turn(command: list[str], threads: int = USABLE) -> Any:
    """The value that a script prints as JSON."""
    return json.loads(run(command, threads))


def take_turns(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Any]:
    """The medians of all rounds, by contender."""
    turns: dict[str, list[Any]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, contender in contenders.items():
            print(f"  round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            turns[name].append(contender())
    return {name: median(values) for name, values in turns.items()}


def median(values: list[Any]) -> Any:
    """Of numbers; of dictionaries under each key; of what else there is, and does not differ, the first."""
    if isinstance(values[0], dict):
        return {key: median([value[key] for value in values]) for key in values[0]}
    return statistics.median(values) if isinstance(values[0], (int, float)) else values[0]


def timed(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def measure(step: Callable[[], object], seconds: float) -> float:
    """Seconds that a step takes, after one to warm up: the median of at least three and of `seconds` of them.

    One that takes five times as long as that counts alone.
    """
    step()
    times = [timed(step)]
    end = time.perf_counter() + seconds
    while times[0] < 5 * seconds and (len(times) < 3 or time.perf_counter() < end):
        times.append(timed(step))
    return statistics.median(times)
