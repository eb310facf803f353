"""Workers are really processes, really killed, and replaced; nothing is scored that nobody judged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from reasonwright.types import UserError, Verdict
from reasonwright.verify import check_gold, grade, latex_pool

pytest.importorskip("math_verify", reason="LATEX WORKERS NOT TESTED: pip install 'reasonwright[math]'")

BOMBS = [r"\boxed{9^{9^{9^{9}}}}", "The answer is 9^{9^{9^{9}}}.", r"$\sum_{k=1}^{10^{9}} k^{k}$"]
QUICK = {
    "3,000 boxes": r"\boxed{" * 3000 + "y" + "}" * 3000,
    "10,000 parentheses": "$" + "(" * 10_000 + "y" + ")" * 10_000 + "$",
    "1 MB": "y+" * 500_000,
}


@pytest.fixture(scope="module")
def shared_pool() -> Iterator[latex_pool.LatexPool]:
    pool = latex_pool.LatexPool(size=2, limit=0.7)
    yield pool
    pool.close()


@pytest.fixture
def pool(shared_pool: latex_pool.LatexPool, monkeypatch: pytest.MonkeyPatch) -> latex_pool.LatexPool:
    monkeypatch.setattr(latex_pool, "pool", shared_pool)
    assert grade("$x+1$", "1+x", "latex").lenient  # one worker is up
    return shared_pool


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_no_answer_and_its_worker_is_killed_and_replaced(bomb: str, pool: latex_pool.LatexPool) -> None:
    before = {worker.process.pid for worker in pool._idle}
    started = time.perf_counter()
    assert grade(bomb, "x^2", "latex") == Verdict(False, False, None)
    assert time.perf_counter() - started < pool.limit + 5
    after = {worker.process.pid for worker in pool._idle}
    assert len(before - after) == 1
    assert not is_alive((before - after).pop())
    assert grade("$x+1$", "1+x", "latex").lenient


@pytest.mark.parametrize("name", QUICK)
def test_long_text_is_decided_in_time(name: str, pool: latex_pool.LatexPool) -> None:
    started = time.perf_counter()
    assert not grade(QUICK[name], "x^2", "latex").lenient
    assert time.perf_counter() - started < pool.limit + 10


def test_a_worker_killed_by_others_is_replaced_and_the_item_judged(pool: latex_pool.LatexPool) -> None:
    for worker in pool._idle:
        os.kill(worker.process.pid, signal.SIGKILL)
    assert grade("$x+1$", "1+x", "latex").lenient


def test_an_item_on_which_workers_die_is_an_error_and_not_a_zero(
    pool: latex_pool.LatexPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = latex_pool.Worker.ask

    def dying(worker: latex_pool.Worker, gold: list[str], answer: list[str], limit: float) -> dict:
        worker.process.kill()
        return ask(worker, gold, answer, limit)

    monkeypatch.setattr(latex_pool.Worker, "ask", dying)
    with pytest.raises(RuntimeError, match="twice on the same answer"):
        grade("$x+1$", "1+x", "latex")
    monkeypatch.undo()
    monkeypatch.setattr(latex_pool, "pool", pool)
    assert grade("$x+1$", "1+x", "latex").lenient


def test_from_threads_each_item_gets_its_own_verdict(pool: latex_pool.LatexPool) -> None:
    assert threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGALRM)
    items = [(f"$x+{i}$", f"{i % 7}+x", i < 7) for i in range(28)]
    items.insert(5, (BOMBS[0], "x^2", False))
    with ThreadPoolExecutor(4) as threads:
        verdicts = list(threads.map(lambda item: grade(item[0], item[1], "latex").lenient, items))
    assert verdicts == [right for _, _, right in items]
    assert signal.getsignal(signal.SIGALRM) is previous


def test_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = "import sys; sys.modules['math_verify'] = None; " + latex_pool._COMMAND
    monkeypatch.setattr(latex_pool, "_COMMAND", blocked)
    monkeypatch.setattr(latex_pool, "pool", latex_pool.LatexPool(size=1, limit=1.0))
    with pytest.raises(UserError, match=r"pip install 'reasonwright\[math\]'"):
        check_gold("x^2", "latex")


def test_the_caller_stays_light_and_a_worker_ends_with_its_parent() -> None:
    """Neither torch nor sympy enters the calling process; after SIGKILL of the parent its worker ends by itself."""
    script = (
        "import os, sys; from reasonwright.verify import grade, latex_pool\n"
        "assert grade('$x+1$', '1+x', 'latex').lenient\n"
        "assert not {'torch', 'sympy', 'math_verify'} & set(sys.modules)\n"
        "print(latex_pool.pool._idle[0].process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    pid = int(child.stdout)
    deadline = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """Alive and no zombie: an orphan may wait for a busy init to collect it."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
