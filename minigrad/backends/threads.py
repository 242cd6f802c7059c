"""How many threads the CPU kernels may use, and how these wait for work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_LIMIT = 1024  # beyond it, starting them fails in the OpenMP library, which ends the process


def _default() -> int:
    """OMP_NUM_THREADS if set, else the number of CPUs this process may use."""
    setting = os.environ.get("OMP_NUM_THREADS")
    if setting:
        first = setting.split(",")[0]  # a list is for nested parallelism, which there is none of here
        if not first.strip().isdecimal() or not 1 <= int(first) <= _LIMIT:
            raise ValueError(f"environment variable OMP_NUM_THREADS={setting!r} must be a number from 1 to {_LIMIT}.")
        return int(first)
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _LIMIT)
    return min(os.cpu_count() or 1, _LIMIT)


_number = 0  # not settled yet
_forked = False


def get_num_threads() -> int:
    """The number of threads that operations on the CPU use.

    At the start it is the environment variable OMP_NUM_THREADS, or the number of CPUs the process may use.
    """
    global _number
    if _number == 0:
        _number = _default()
    return _number


def set_num_threads(n: int) -> None:
    """Lets operations on the CPU use `n` threads. Results do not depend on it, not even in their last bit.

    A process made by os.fork (or by multiprocessing's "fork") has one thread for good: it inherits the books of
    the OpenMP library but not the threads in them, and would wait for these forever.
    """
    global _number
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= _LIMIT:
        raise ValueError(f"set_num_threads: n={n!r} must be an int from 1 to {_LIMIT}.")
    if _forked and n > 1:
        raise RuntimeError(f"set_num_threads: n={n} in a forked process, where only 1 thread can work. Start the "
                           "process afresh instead: multiprocessing.set_start_method('spawn').")
    _number = n


@contextmanager
def waiting_briefly() -> Iterator[None]:
    """An OpenMP library that is loaded inside lets threads without work wait awake for a few milliseconds, and then
    sleep, unless the environment says otherwise.

    Asleep, they take 50 to 500 microseconds to come back, and a convolution may be done by then: an epoch of LeNet took
    twice as long. By default they stay awake for up to 20 milliseconds (GCC's library), in the way of other programs
    and libraries.
    """
    if "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = "100000"  # the library reads it once, when it is loaded
    try:
        yield
    finally:
        del os.environ["GOMP_SPINCOUNT"]


def _after_fork() -> None:
    global _number, _forked
    _number, _forked = 1, True


if hasattr(os, "register_at_fork"):  # not on Windows, where there is no fork
    os.register_at_fork(after_in_child=_after_fork)
