"""What both kinds of worker need: a process that is killed from outside when its time is over."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def killed_after(process: subprocess.Popen[Any], seconds: float) -> Iterator[threading.Event]:
    """Kill `process` unless the block ends within `seconds`; the event says whether that happened.

    A timer thread works from any thread of any program, where SIGALRM works in main threads only.
    """
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()


def close(process: subprocess.Popen[Any]) -> None:
    """Kill the process, wait for it and close its pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
