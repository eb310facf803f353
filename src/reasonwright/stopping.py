"""Stopping on request. The first SIGTERM or Ctrl-C ends a training at its next step, with its checkpoint committed, and
anything else where it is; the second one ends the process at once, as these signals do by default."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Request:
    """Signals are the process's own, and so is what they ask for: there is one of these."""

    signal: int | None = None
    """The one that came."""
    waits = False
    """Inside `at_next_step`."""


_request = _Request()


class Stopped(KeyboardInterrupt):
    """The work was stopped as asked, and what it had to keep is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.exit_status = 128 + (_request.signal or signal.SIGINT)
        """As a shell reports a process that the signal ended: 130 for Ctrl-C, 143 for SIGTERM."""


def asked() -> bool:
    """Whether a signal has asked to stop. Loops are handed this function and ask it after each step."""
    return _request.signal is not None


@contextlib.contextmanager
def signals_handled() -> Iterator[None]:
    """For a command that trains: the first signal asks."""
    before = {number: signal.signal(number, _on_signal) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _request.signal = None


@contextlib.contextmanager
def at_next_step() -> Iterator[None]:
    """Around work that asks `asked` after each of its steps; elsewhere a signal raises Stopped where it arrives."""
    _request.waits = True
    try:
        yield
    finally:
        _request.waits = False
    if asked():  # after the last step
        raise Stopped


def _on_signal(number: int, frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    _request.signal = number
    if not _request.waits:
        raise Stopped
    shown = "\x1b[?25h" if sys.stderr.isatty() else ""  # the cursor, which the progress bar hides
    os.write(2, f"{shown}\nstopping after this step, with a checkpoint; once more stops at once\n".encode())
