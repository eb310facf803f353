"""What this process is set to before torch is loaded: how its threads wait, and what becomes of freed memory."""

from __future__ import annotations

import contextlib
import ctypes
import os

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


def prepare_process() -> None:
    """Both of the below. To be called before torch is imported, whose OpenMP reads the environment once."""
    wait_briefly()
    keep_freed_memory()


def wait_briefly() -> None:
    """Threads spin for about 0.1 ms for the next piece of work and then sleep; what the user has set stays.

    Neither extreme will do on two cores. Always asleep, a decode step's hundreds of small products each wait for a
    thread to wake: GRPO on the embedded base sampled half as fast. Spinning as long as by default, with another program
    on one of the cores, 2,000 small products took 57 s instead of 1.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # of any OpenMP
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # of GNU's, in the place of its policy


def keep_freed_memory() -> None:
    """The GNU C library keeps what is freed for what comes next, up to 2 GiB of it; others know no such switch, and
    a user who set MALLOC_… knows better.

    By default arrays of more than a few MiB go back to the system when they are freed, and come back page by page:
    that was a quarter of an update's time at the shape of Qwen2.5-0.5B (LOG.md).
    """
    if any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: Windows has no library without a name
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_TOP_PAD, 2**24)
