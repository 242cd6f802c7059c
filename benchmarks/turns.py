"""Processes that take turns: how everything that is compared here is measured.

Each contender is measured in processes of its own, so that no pool of threads and no allocator disturbs another's, and
all get the same number of threads. The processes take turns, A B C A B C ..., for some rounds: when the machine gets
slower or busier, it does so for all. Medians over the rounds count.

A script's part is to print, for its turn, one value as JSON: a number of seconds, or a dictionary of such. Needs Unix.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

POOLS = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT"]
HERE = Path(__file__).parent
USABLE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Turn(NamedTuple):
    value: Any        # what the script printed
    seconds: float    # that the whole process took
    megabytes: float  # the most memory that it ever had


def turn(command: list[str], threads: int = USABLE) -> Turn:
    """Runs Python with these arguments. Pools of threads learn their size from the environment."""
    environment = os.environ | dict.fromkeys(POOLS, str(threads))
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.PIPE, cwd=HERE) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    unit = 1 if sys.platform == "darwin" else 1024
    return Turn(json.loads(output) if output.strip() else None, seconds, usage.ru_maxrss * unit / 1e6)


def take_turns(contenders: dict[str, Callable[[], Turn]], rounds: int) -> dict[str, Turn]:
    """The medians of all rounds, by contender."""
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, contender in contenders.items():
            print(f"  round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            turns[name].append(contender())
    return {name: Turn(*map(median, zip(*its, strict=True))) for name, its in turns.items()}


def median(values: Any) -> Any:
    """Of numbers; of dictionaries under each key; of what else there is, which must not differ, the first."""
    first, *_ = values
    if isinstance(first, dict):
        return {key: median([value[key] for value in values]) for key in first}
    return statistics.median(values) if isinstance(first, (int, float)) else first


def measure(step: Callable[[], object], seconds: float) -> float:
    """Seconds that a step takes: the median of at least three and `seconds` of them, after one to warm up.

    If the first alone takes five times as long as that, it counts.
    """
    first, times = _time(step), list[float]()
    if first > 5 * seconds:
        return first
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        times.append(_time(step))
    return statistics.median(times)


def _time(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
