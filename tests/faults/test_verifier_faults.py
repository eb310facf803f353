"""Answers that attack the verifier: too slow, too large, meant to be executed; and workers that die in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reasonwright.chat import render_completion
from reasonwright.types import Verdict
from reasonwright.verify import grade, latex_pool

pytest.importorskip("math_verify", reason="LATEX WORKERS NOT TESTED: pip install 'reasonwright[math]'")

LIMIT = latex_pool.pool.limit
BOMBS = {
    "tower": "$9^{9^{9^{9}}}$",
    "boxed tower": r"\boxed{9^{9^{9^{9}}}}",
    "nested powers": "$" + "2^{" * 60 + "2" + "}" * 60 + "$",
    "factorial of 10^9": "$(10^9)!$",
    "factorial": "$99999999!$",
    "sum": r"$\sum_{k=1}^{10^{9}} k^{k}$",
    "integral": r"$\int_0^1 \sin(x^{x^{x}}) \cos(e^{x^2})\,dx$",
    "3,000 boxes": r"\boxed{" * 3000 + "y" + "}" * 3000,
    "3,000 boxes side by side": r"\boxed{y^2}" * 3000,
    "1 MB": "$" + "y+" * 500_000 + "1$",
    "1 MB of digits": "$" + "7" * 1_000_000 + "y$",
    "10,000 parentheses": "$" + "(" * 10_000 + "y" + ")" * 10_000 + "$",
    "fractions in fractions": "$" + r"\frac{1}{" * 500 + "y" + "}" * 500 + "$",
}
GOLD = "x^2"  # no number, so that every answer goes to a worker


@pytest.fixture
def pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[latex_pool.LatexPool]:
    """Two workers, both ready."""
    pool = latex_pool.LatexPool(size=2, limit=getattr(request, "param", 2.0))
    monkeypatch.setattr(latex_pool, "pool", pool)
    with ThreadPoolExecutor(2) as threads:
        assert all(threads.map(lambda i: grade(f"$x+{i}$", f"{i}+x", "latex").lenient, range(2)))
    yield pool
    pool.close()


def pids(pool: latex_pool.LatexPool) -> set[int]:
    return {worker.process.pid for worker in pool._idle}


@pytest.mark.faults
@pytest.mark.parametrize("pool", [LIMIT], indirect=True)
def test_every_bomb_is_decided_within_its_limit_and_half_a_second(pool: latex_pool.LatexPool) -> None:
    """One behind the other, without a pause: also the start of the next worker is within that time."""
    slow = 0
    for name, bomb in BOMBS.items():
        before = pids(pool)
        began = time.perf_counter()
        verdict = grade(bomb, GOLD, "latex")
        took = time.perf_counter() - began
        assert not verdict.lenient, name
        assert not verdict.strict, name
        assert took < LIMIT + 0.5, (name, took)
        if took >= LIMIT:  # killed: that worker is gone, others stand ready
            slow += 1
            assert before - pids(pool), name
        assert pids(pool), name
    assert slow >= 4, "these are no bombs"
    assert grade("$x+1$", "1+x", "latex").lenient


ITEMS = [(f"$x+{i}$", f"{i % 5}+x", i < 5) for i in range(15)]
ITEMS[3:3] = [(BOMBS["tower"], GOLD, False), (BOMBS["sum"], GOLD, False)]


def test_from_threads_bombs_do_not_touch_the_others(pool: latex_pool.LatexPool) -> None:
    handler = signal.getsignal(signal.SIGALRM)
    with ThreadPoolExecutor(4) as threads:
        verdicts = list(threads.map(lambda item: grade(item[0], item[1], "latex").lenient, ITEMS))
    assert verdicts == [right for _, _, right in ITEMS]
    assert signal.getsignal(signal.SIGALRM) is handler


def test_from_asyncio_bombs_do_not_touch_the_others(pool: latex_pool.LatexPool) -> None:
    async def judge_all() -> tuple[list[bool], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.05)
                ticks += 1

        clock = asyncio.create_task(tick())
        verdicts = await asyncio.gather(*(asyncio.to_thread(grade, text, gold, "latex") for text, gold, _ in ITEMS))
        clock.cancel()
        return [verdict.lenient for verdict in verdicts], ticks

    verdicts, ticks = asyncio.run(judge_all())
    assert verdicts == [right for _, _, right in ITEMS]
    assert ticks > 10  # the loop went on while the bombs burned


@pytest.mark.parametrize("pool", [60.0], indirect=True)
def test_a_worker_killed_in_the_middle_of_an_item_is_asked_again(pool: latex_pool.LatexPool) -> None:
    """The item takes some tenths of a second; its worker is killed from outside while it works on it."""
    slow_but_right = "$" + "+".join(f"x^{{{i}}}" for i in range(60)) + "$"
    verdicts: list[Verdict] = []
    before = list(pool._idle)
    thread = threading.Thread(target=lambda: verdicts.append(grade(slow_but_right, slow_but_right.strip("$"), "latex")))
    thread.start()
    while len(pool._idle) == len(before):  # until one of them has the item
        time.sleep(0.001)
    (taken,) = (worker for worker in before if worker not in pool._idle)
    time.sleep(0.02)
    assert thread.is_alive(), "decided before it could be killed"
    os.kill(taken.process.pid, signal.SIGKILL)
    thread.join(60)
    assert taken.process.returncode == -signal.SIGKILL
    assert verdicts[0].lenient


def test_where_every_worker_is_killed_it_fails_and_scores_nothing(
    pool: latex_pool.LatexPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody kills whatever works on the item, again and again: an error, not a zero."""
    exchange = latex_pool.Worker._exchange

    def killed(worker: latex_pool.Worker, request: dict | None, limit: float) -> dict:
        if request is not None:
            threading.Timer(0.2, os.kill, (worker.process.pid, signal.SIGKILL)).start()
        return exchange(worker, request, limit)

    monkeypatch.setattr(latex_pool.Worker, "_exchange", killed)
    with pytest.raises(RuntimeError, match="twice on the same answer"):
        grade(BOMBS["tower"], GOLD, "latex")


PAYLOADS = [
    "__import__('os').system('touch {trace}')",
    "open('{trace}', 'w').write('x')",
    "().__class__.__bases__[0].__subclasses__()",
    "exec(\"import pathlib; pathlib.Path('{trace}').touch()\")",
    "eval(\"__import__('pathlib').Path('{trace}').touch()\")",
    "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'Popen'][0](['touch', '{trace}'])",
    "lambda: __import__('socket').create_connection(('127.0.0.1', 9))",
    "x.__init__.__globals__['__builtins__']['open']('{trace}','w')",
    "\\input{{{trace}}} \\write18{{touch {trace}}}",
    "{{{{7*7}}}} ${{7*7}} `touch {trace}` $(touch {trace}) ; touch {trace}",
    "<script>fetch('http://127.0.0.1:9')</script>",
]


def test_code_in_an_answer_creates_no_file_process_or_socket(tmp_path: Path) -> None:
    """As number, text and LaTeX, the worker included: nothing but the worker itself is started, nothing is created."""
    trace = tmp_path / "trace"
    texts = [payload.format(trace=trace) for payload in PAYLOADS]
    script = (
        "import json, sys\n"
        "from reasonwright.verify import grade, latex_pool\n"
        "seen = []\n"
        "def hook(event, args):\n"
        "    if event in ('os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'subprocess.Popen') "
        "or event.startswith('socket.'):\n"
        "        seen.append(event)\n"
        "    if event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+'):\n"
        "        seen.append(f'open {args[0]}')\n"
        "grade('$x$', 'x', 'latex')\n"
        "sys.addaudithook(hook)\n"
        "for text in json.load(sys.stdin):\n"
        "    for form in ('{}', 'The answer is {}.', r'\\boxed{{{}}}', '${}$', '<answer>{}</answer>'):\n"
        "        for gold, kind in (('42', 'number'), ('yes', 'text'), ('x^2', 'latex')):\n"
        "            completion = '<think>\\nx\\n</think>\\n\\n' + form.format(text)\n"
        "            assert not grade(completion, gold, kind).lenient, (completion, kind)\n"
        "print(seen)\n"
    )
    # The worker is a process of its own: it gets the same hook through its start-up file.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "def hook(event, args):\n"
        "    if event in ('os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'subprocess.Popen', 'socket.connect'):\n"
        "        if sys.argv and sys.argv[0] == '-c' and 'latex_worker' in ' '.join(sys.orig_argv):\n"
        f"            open({str(tmp_path / 'worker')!r}, 'a').write(event)\n"
        "sys.addaudithook(hook)\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | {"PYTHONPATH": path},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "__pycache__") == ["sitecustomize.py"]


ANY = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("0123456789.,-+/*=^${}\\ \nx<>think")), max_size=80)


@given(ANY, st.integers(-(10**6), 10**6))
@settings(max_examples=150)
def test_random_wrong_text_never_scores(text: str, gold: int) -> None:
    """Whatever stands where the answer is asked for: it scores only if the gold's digits stand in it."""
    digits = str(abs(gold))
    assume(not any(c.isdigit() for c in text) or digits not in "".join(c for c in text if c in "0123456789"))
    assume(not set(text) & set("^/eE"))  # which can say the number in other digits: 10^3, 84/2, 1e3
    for completion in (text, render_completion(f"The answer is {gold}.", text), f"<think>{gold}</think>{text}"):
        verdict = grade(completion, str(gold))
        assert not verdict.strict
        assert not verdict.lenient


@given(ANY)
@settings(max_examples=150)
def test_random_text_is_never_another_text(text: str) -> None:
    assume("knight" not in text.casefold())
    for completion in (text, render_completion("The answer is knight.", text)):
        assert not grade(completion, "knight", "text").lenient
