"""The process in which Math-Verify runs: JSON lines in, JSON lines out, until the input ends.

It has no time limit of its own that the parent would rely on: the parent kills it. The limits set here are the
kernel's, for the case that the parent is gone.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
from functools import lru_cache
from typing import Any

MEMORY_BYTES = 4 << 30


def main() -> None:
    """Answer `{"gold": [...], "answer": [...], "limit": seconds}` with `{"gold": "expression" | "text" | "none",
    "right": bool, "extracted": str | None}`. The first line says whether Math-Verify is there: `{"ready": bool}`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it may want to finish its step
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever a library prints must not end up among the replies
    try:
        import math_verify  # noqa: F401
    except ImportError:
        _send(replies, {"ready": False})
        return
    logging.disable(logging.CRITICAL)  # it warns that it has no time limit; that is what this process is for
    _limit_memory()
    _judge(("$x+1$",), ["$1+x$"])  # the first item loads much more, which must not be taken from the next one's time
    _send(replies, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        _limit_cpu(request["limit"])
        _send(replies, _judge(tuple(request["gold"]), request["answer"]))


def _judge(golds: tuple[str, ...], answers: list[str]) -> dict[str, Any]:
    from math_verify import verify

    parsed_golds = [parsed for gold in golds if (parsed := _parse_gold(gold))]
    expression = any(not isinstance(item, str) for parsed in parsed_golds for item in parsed)
    reply = {"gold": "expression" if expression else "text" if parsed_golds else "none", "right": False}
    extracted = None
    for answer in answers:
        parsed = _parse(answer)
        text = next((item for item in parsed if isinstance(item, str)), None)
        extracted = extracted or text
        for gold in parsed_golds:
            with contextlib.suppress(RecursionError, MemoryError):
                if verify(gold, parsed, timeout_seconds=None):
                    return reply | {"right": True, "extracted": text}
    return reply | {"extracted": extracted}


@lru_cache(maxsize=1024)
def _parse_gold(text: str) -> list[Any]:
    return _parse(text)


def _parse(text: str) -> list[Any]:
    from math_verify import parse

    try:
        return parse(text, parsing_timeout=None)
    except (RecursionError, MemoryError):
        return []


def _send(replies: Any, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply) + "\n")
    replies.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _limit_cpu(seconds: float) -> None:
    try:
        import resource
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 5  # well after the parent's own limit
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main()
