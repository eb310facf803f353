"""Worker processes for Math-Verify: started when needed, killed from outside when an item takes too long.

A process started with `subprocess` needs no fork, no signal and no `__main__` guard, so this works from any thread of
any program. SIGALRM, which Math-Verify uses by itself, works in main threads only and cancels the program's own.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from reasonwright.types import UserError
from reasonwright.verify.processes import close, killed_after

START_SECONDS = 120.0  # importing sympy from a cold disk on a busy machine

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_COMMAND = f"import sys; sys.path.append({_PACKAGE_ROOT!r}); from reasonwright.verify.latex_worker import main; main()"


class WorkerDiedError(Exception):
    """The worker process ended before it answered, and not by our hand."""


class TimedOutError(Exception):
    """The item took longer than its limit; its worker has been killed."""


class Worker:
    """One process, started at once and waited for when it is first asked. Used by one thread at a time."""

    def __init__(self) -> None:
        self.ready = False
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _COMMAND],  # -P: a file of the user's folder must not shadow a module
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )

    def ask(self, gold: list[str], answer: list[str], limit: float) -> dict[str, Any]:
        """The worker's reply; raises `TimedOutError` or `WorkerDiedError`, and is then of no more use.

        `wait` comes first, so that the limit counts from when the worker is ready.
        """
        return self._exchange({"gold": gold, "answer": answer, "limit": limit}, limit)

    def wait(self) -> None:
        """Until it is ready to be asked."""
        if self.ready:
            return
        try:
            self.ready = self._exchange(None, START_SECONDS)["ready"]
        except TimedOutError:
            raise RuntimeError(f"the Math-Verify worker did not start within {START_SECONDS:.0f} s") from None
        if not self.ready:
            self.close()
            raise UserError("LaTeX answers need Math-Verify: pip install 'reasonwright[math]'.")

    def close(self) -> None:
        close(self.process)

    def _exchange(self, request: dict[str, Any] | None, limit: float) -> dict[str, Any]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        with killed_after(self.process, limit) as late:
            try:
                if request is not None:
                    stdin.write(json.dumps(request) + "\n")
                    stdin.flush()
                line = stdout.readline()
            except OSError:
                line = ""
        if late.is_set():
            self.close()
            raise TimedOutError
        if not line.endswith("\n"):
            self.close()
            raise WorkerDiedError(f"the Math-Verify worker ended with status {self.process.returncode}")
        return json.loads(line)


class LatexPool:
    """At most `size` workers; a thread that finds none free waits for one."""

    def __init__(self, size: int, limit: float) -> None:
        self.size, self.limit = size, limit
        self._free = threading.Semaphore(size)
        self._idle: list[Worker] = []
        self._lock = threading.Lock()

    def ask(self, gold: list[str], answer: list[str]) -> dict[str, Any] | None:
        """Math-Verify's reply, or None where the item took longer than the limit.

        A worker that dies is replaced and the item asked once more; a second death raises `RuntimeError`, because an
        answer that nobody judged must not count as wrong.
        """
        with self._free:
            with self._lock:
                worker = self._idle.pop() if self._idle else Worker()
            try:
                return self._ask(worker, gold, answer)
            except WorkerDiedError:
                pass
            try:
                return self._ask(Worker(), gold, answer)
            except WorkerDiedError as died:
                raise RuntimeError(f"{died}, twice on the same answer: {answer[0][-200:]!r}") from died

    def close(self) -> None:
        """Kill the idle workers. The pool stays usable and starts new ones."""
        with self._lock:
            workers, self._idle = self._idle, []
        for worker in workers:
            worker.close()

    def _ask(self, worker: Worker, gold: list[str], answer: list[str]) -> dict[str, Any] | None:
        spare = threading.Timer(self.limit / 2, self._start_spare)
        spare.daemon = True
        try:
            worker.wait()
            spare.start()  # with half of the time gone this worker may have to be killed; its successor starts now
            reply = worker.ask(gold, answer, self.limit)
        except TimedOutError:
            return None
        except BaseException:
            worker.close()  # interrupted in the middle of an item: its reply would be taken for the next one's
            raise
        finally:
            spare.cancel()
        self._put(worker)
        return reply

    def _start_spare(self) -> None:
        with self._lock:
            if len(self._idle) < self.size:
                self._idle.insert(0, Worker())  # taken last, when it has had time to start

    def _put(self, worker: Worker) -> None:
        with self._lock:
            self._idle.append(worker)
            oldest = self._idle.pop(0) if len(self._idle) > self.size else None
        if oldest is not None:
            oldest.close()


def _new_pool() -> None:
    global pool
    pool = LatexPool(size=max(1, min(8, os.cpu_count() or 1)), limit=5.0)


pool: LatexPool
_new_pool()
atexit.register(lambda: pool.close())
if hasattr(os, "register_at_fork"):  # a forked child must not share its parent's pipes
    os.register_at_fork(after_in_child=_new_pool)
