"""The only process in the sandbox: runs a program that a model wrote and tells what its function returned.

Its text is handed to Python inside the sandbox (`sandbox.py`) and is never imported by the package. It does not know
what would be right, so the program, which may do with this process what it likes, can't learn or forge it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

NOBODY = 65534


def main() -> None:
    """Read `{"code", "function", "calls": [[argument, …], …], "cpu_seconds", "memory_bytes"}`; write a line "ready",
    then a line `[result]` for each call, or `null` where it raised or returned what JSON can't hold."""
    request = json.loads(sys.stdin.buffer.read())
    replies = os.dup(1)
    os.dup2(2, 1)  # what the program prints is not a reply
    _give_up_rights(request["cpu_seconds"], request["memory_bytes"])
    os.write(replies, b"ready\n")
    space: dict[str, Any] = {"__name__": "answer"}
    exec(compile(request["code"], "answer", "exec"), space)
    function = space[request["function"]]
    for arguments in request["calls"]:
        try:
            line = json.dumps([function(*arguments)], default=_set_as_list)
        except Exception:
            line = "null"
        os.write(replies, line.encode() + b"\n")


def _give_up_rights(cpu_seconds: int, memory_bytes: int) -> None:
    """No root, no further process or thread, no file that grows; hard limits, which can't be raised again."""
    if os.getuid() == 0:  # root is not bound by the limit on processes
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    for what, limit in (
        (resource.RLIMIT_NPROC, 1),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 32),
    ):
        resource.setrlimit(what, (limit, limit))


def _set_as_list(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError


if __name__ == "__main__":
    main()
