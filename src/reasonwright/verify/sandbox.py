"""Programs that models wrote, run under bubblewrap: no network, nothing to write to, nothing to read but Python.

The process inside is told the calls, never the expected results; those are compared here. There is no way round it:
where the isolation is missing or does not hold, `require` refuses.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path
from typing import Any

from reasonwright.types import UserError
from reasonwright.verify.processes import close, killed_after

SECONDS = 5.0  # of one program, all its calls together
START_SECONDS = 60.0
MEMORY_BYTES = 512 << 20
REPLY_BYTES = 1 << 20

_PACKAGE = Path(__file__).resolve().parents[1]
_PROGRAM = (_PACKAGE / "verify" / "sandbox_program.py").read_text(encoding="utf-8")
_MEND = "code rewards need it: `apt-get install bubblewrap`, and allow user namespaces or run as root"
_slots = threading.BoundedSemaphore(os.cpu_count() or 1)  # more at a time would only take time from each other

# Every way out that the sandbox must have closed; what is found open is named in the result.
_PROBE = """
import os, socket, threading
def probe(package):
    found = []
    def works(name, attempt):
        try:
            if attempt() is not False:
                found.append(name)
        except (OSError, RuntimeError):
            pass
    works("root", lambda: os.getuid() == 0 or os.setuid(0))
    works("network", lambda: any(name != "lo" for _, name in socket.if_nameindex()))
    works("processes of others", lambda: os.getppid() > 1)
    works("fork", lambda: os.fork() or os._exit(0))
    works("threads", lambda: threading.Thread(target=int).start())
    for place in (".", "/", "/tmp", "/dev/shm", "/var/tmp", "/usr/lib"):
        works("write to " + place, lambda: open(os.path.join(place, "probe"), "w").close())
    works("read the package", lambda: os.listdir(package))
    return found
"""


class SandboxError(RuntimeError):
    """The sandbox itself failed, so that nothing is known about the program."""


@functools.cache
def require() -> None:
    """Raise `UserError` unless a probe, run in the sandbox, finds every way out closed. Checked once a process."""
    if not sys.platform.startswith("linux") or shutil.which("bwrap") is None:
        raise UserError(f"there is no bubblewrap (`bwrap`) on this machine, and {_MEND}")
    try:
        replies = run(_PROBE, "probe", [[str(_PACKAGE)]])
    except SandboxError as error:
        raise UserError(f"bubblewrap is installed but does not work here ({error}), and {_MEND}") from None
    if replies != [[[]]]:
        found = ", ".join(replies[0][0]) if replies and replies[0] else "the probe gave no answer"
        raise UserError(f"bubblewrap does not isolate programs on this machine ({found}), and {_MEND}")


def run(code: str, function: str, calls: list[list[Any]], seconds: float = SECONDS) -> list[Any]:
    """What the program's function returned for each call: `[result]`, or None where it raised.

    The list ends early where the program ended, took too long, or replied too much. A sandbox that fails before the
    program begins, or is killed by others, is tried once more; then `SandboxError` is raised, because a program that
    nobody ran must not count as wrong.
    """
    limits = {"cpu_seconds": math.ceil(seconds) + 1, "memory_bytes": MEMORY_BYTES}
    request = json.dumps({"code": code, "function": function, "calls": calls, **limits}).encode()
    with _slots:
        try:
            return _run_once(request, seconds)
        except SandboxError:
            return _run_once(request, seconds)


def _run_once(request: bytes, seconds: float) -> list[Any]:
    process = subprocess.Popen(
        _command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with killed_after(process, START_SECONDS):
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(request)
                process.stdin.close()
            ready = process.stdout.readline()
        if ready != b"ready\n":
            raise SandboxError(f"it ended with status {process.wait()} before the program began")
        with killed_after(process, seconds) as late:
            replies = process.stdout.read(REPLY_BYTES)
            if len(replies) < REPLY_BYTES and process.wait() < 0 and not late.is_set():
                raise SandboxError(f"it was killed by signal {-process.returncode} from outside")
    finally:
        close(process)
    return _read(replies)


def _read(replies: bytes) -> list[Any]:
    """Whole lines; the program may have written them, so anything may stand there."""
    try:
        return [json.loads(line) for line in replies.split(b"\n")[:-1]]
    except (ValueError, RecursionError):
        return []


@functools.cache
def _command() -> tuple[str, ...]:
    python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    library = str(Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")))
    # Python itself and the libraries it is linked with; not the places where packages and data lie.
    places = [python, sysconfig.get_path("stdlib"), library]
    places += ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"]
    binds = []
    for place in places:
        for parent in reversed(Path(place).parents[:-1]):
            binds += ["--dir", str(parent)]  # else one like /root would be closed to nobody inside, too
        binds += ["--ro-bind-try", place, place]
    if any(_PACKAGE.is_relative_to(place) for place in places):  # it holds our own problems with their results
        binds += ["--tmpfs", str(_PACKAGE), "--remount-ro", str(_PACKAGE)]
    # A user's namespace keeps its own single uid. Root gets none, so that the program inside can become nobody: only
    # then does the limit on processes bind it.
    rights = ["--unshare-all"]
    if os.geteuid() == 0:
        rights = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        rights += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return (
        "bwrap", *rights, "--die-with-parent", "--new-session", "--clearenv", "--setenv", "PYTHONHASHSEED", "0",
        *binds, "--remount-ro", "/", "--chdir", "/", python, "-S", "-s", "-P", "-B", "-c", _PROGRAM,
    )  # fmt: skip
