"""Hostile programs, really run: nothing gets out, nothing stays behind, nothing is scored that is not right."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hostile_programs import ENDLESS, FORGERIES, READERS, WRITE

from reasonwright.tasks import load_task
from reasonwright.types import UserError, Verdict
from reasonwright.verify import grade, sandbox
from reasonwright.verify.code import CodeGold

GOLD = CodeGold("f", [{"args": [2, 3], "returns": 5}, {"args": [-1, 1], "returns": 0}]).to_text()
RIGHT = "def f(a, b):\n    return a + b"


def answer(code: str) -> str:
    return f"<think>\nx\n</think>\n\n```python\n{code}\n```"


@pytest.fixture
def sandboxed() -> None:
    """A sandbox that works."""
    try:
        sandbox.require()
    except UserError as error:
        pytest.skip(f"SANDBOX NOT TESTED: {error}")


@pytest.fixture
def limited(sandboxed: None, monkeypatch: pytest.MonkeyPatch) -> float:
    """And a shorter limit, for what does not end by itself."""
    run = sandbox.run
    monkeypatch.setattr(sandbox, "run", lambda *arguments: run(*arguments, seconds=1.0))
    return 1.0


def processes() -> set[str]:
    """Command lines of what runs under bwrap."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"bwrap" in command.split(b"\0")[0] and f"PPid:\t{os.getpid()}\n" in (folder / "status").read_text():
            found.add(folder.name)
    return found


def test_what_is_right_scores_and_what_is_not_does_not(sandboxed: None) -> None:
    assert grade(answer(RIGHT), GOLD, "code") == Verdict(True, True, RIGHT + "\n")
    assert not grade(answer("def f(a, b):\n    return a - b"), GOLD, "code").lenient
    assert not grade(answer("def g(a, b):\n    return a + b"), GOLD, "code").lenient
    assert not grade(answer("def f(a, b):\n    return 5"), GOLD, "code").lenient  # the first test alone
    assert not grade(answer("def f(a, b:"), GOLD, "code").lenient


@pytest.mark.parametrize("name", ENDLESS)
def test_what_does_not_end_is_killed(limited: float, name: str) -> None:
    began = time.perf_counter()
    assert not grade(answer(ENDLESS[name]), GOLD, "code").lenient
    assert time.perf_counter() - began < limited + 4  # the start of the sandbox included
    assert not processes()


@pytest.mark.parametrize("name", FORGERIES)
def test_no_way_round_the_tests(sandboxed: None, name: str) -> None:
    assert not grade(answer(FORGERIES[name]), GOLD, "code").lenient


@pytest.mark.parametrize("name", READERS)
def test_what_would_be_right_is_nowhere_to_be_read(sandboxed: None, name: str) -> None:
    """The program reports all it can see; the secret, which is what the test expects, is not among it."""
    body = READERS[name] if "\n" in READERS[name] else "\n        " + READERS[name]
    code = "def f(a, b):" + body.replace("\n        ", "\n    ")
    secret = "right-6f1d2c"
    (reply,) = sandbox.run(code, "f", [[1, 2]])
    assert reply is not None, "the program did not work"
    assert secret not in json.dumps(reply)
    assert "code_problems" not in json.dumps(reply)
    assert "returns" not in json.dumps(reply) or name == "garbage collector"
    assert not grade(answer(code), CodeGold("f", [{"args": [1, 2], "returns": secret}]).to_text(), "code").lenient
    if name == "files":
        assert reply == [[]]
    if name == "environment":
        assert "PATH" not in json.dumps(reply)


def test_a_package_that_is_installed_beside_python_is_hidden(sandboxed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package lies in a folder that the sandbox shows, as in a system's site-packages, it is covered."""
    package = Path(sysconfig.get_path("stdlib"), "xmlrpc")
    assert sandbox.run("import os\ndef f(p):\n    return os.listdir(p)", "f", [[str(package)]]) != [[[]]]
    monkeypatch.setattr(sandbox, "_PACKAGE", package)
    sandbox._command.cache_clear()
    try:
        assert sandbox.run("import os\ndef f(p):\n    return os.listdir(p)", "f", [[str(package)]]) == [[[]]]
    finally:
        sandbox._command.cache_clear()


@pytest.fixture
def listener() -> Iterator[tuple[int, Callable[[], bool]]]:
    """A real server on this machine, and whether anybody came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)

        def visited() -> bool:
            try:
                server.accept()[0].close()
            except TimeoutError:
                return False
            return True

        yield server.getsockname()[1], visited


def test_no_network(sandboxed: None, listener: tuple[int, Callable[[], bool]]) -> None:
    port, visited = listener
    code = (
        "import socket\ndef f(a, b):\n"
        f"    for host in ('127.0.0.1', '192.0.2.1', '::1'):\n"
        f"        try:\n            socket.create_connection((host, {port}), 0.3)\n            return 'connected'\n"
        "        except OSError: pass\n"
        "    try:\n        socket.getaddrinfo('example.org', 80)\n        return 'resolved'\n    except OSError: pass\n"
        "    return 'nothing'"
    )
    assert sandbox.run(code, "f", [[1, 2]]) == [["nothing"]]
    assert not visited()
    socket.create_connection(("127.0.0.1", port)).close()
    assert visited()  # the server would have noticed


def test_no_writes(sandboxed: None, tmp_path: Path) -> None:
    places = [str(tmp_path), "/tmp", "/dev/shm", "/var/tmp", "/", "/usr/lib", os.getcwd(), str(Path.home())]
    code = (
        "import os, sys\ndef f(places, names):\n    done = []\n"
        "    for place in places + [os.path.dirname(os.__file__), os.path.dirname(sys.executable)]:\n"
        "        for work in (lambda: open(place + '/trace', 'w').write('x'), lambda: os.mkdir(place + '/trace'),\n"
        "                     lambda: os.symlink('/', place + '/trace')):\n"
        "            try: work(); done.append(place)\n            except OSError: pass\n"
        "    return done"
    )
    assert sandbox.run(code, "f", [[places, []]]) == [[[]]]
    for place in places:
        assert not os.path.lexists(os.path.join(place, "trace"))


def test_no_rights(sandboxed: None) -> None:
    code = (
        "import os, resource, ctypes\ndef f():\n    done = []\n"
        "    def attempt(name, work):\n"
        "        try: work(); done.append(name)\n        except (OSError, ValueError): pass\n"
        "    attempt('setuid', lambda: os.setuid(0))\n"
        "    attempt('more processes', lambda: resource.setrlimit(resource.RLIMIT_NPROC, (100, 100)))\n"
        "    attempt('more memory', lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)))\n"
        "    libc = ctypes.CDLL(None)\n"
        "    if libc.mount(b'none', b'/lib', b'tmpfs', 0, None) == 0: done.append('mount')\n"
        "    if libc.ptrace(16, 1, None, None) == 0: done.append('ptrace')\n"
        "    return done + (['root'] if 0 in (os.getuid(), os.geteuid(), os.getgid()) + tuple(os.getgroups()) else [])"
    )
    assert sandbox.run(code, "f", [[]]) == [[[]]]


def test_a_namespace_of_its_own_wins_nothing(sandboxed: None) -> None:
    """The kernel may let anybody make a user namespace, and be root in there."""
    code = (
        "import ctypes, os, socket\ndef f():\n    done = []\n"
        "    libc = ctypes.CDLL(None)\n"
        "    libc.unshare(0x10000000 | 0x00020000 | 0x40000000)\n"  # user, mounts, network
        "    libc.mount(b'none', b'/lib', b'tmpfs', 0, None)\n"
        "    def attempt(name, work):\n"
        "        try:\n            work(); done.append(name)\n        except OSError: pass\n"
        "    def write():\n"
        "        with open('/lib/trace', 'wb', buffering=0) as file: file.write(b'x')\n"
        "    attempt('write', write)\n"
        "    attempt('fork', lambda: os.fork() or os._exit(0))\n"
        "    attempt('connect', lambda: socket.create_connection(('192.0.2.1', 9), 0.2))\n"
        "    attempt('setuid', lambda: os.setuid(0))\n"
        "    return done"
    )
    assert sandbox.run(code, "f", [[]]) == [[[]]]


def test_a_gigabyte_is_refused(sandboxed: None) -> None:
    code = (
        "def f():\n    try:\n        return len(bytearray(10 ** 9))\n    except MemoryError:\n        return 'refused'"
    )
    assert sandbox.run(code, "f", [[]]) == [["refused"]]
    assert sandbox.run("kept = []\nwhile True: kept.append(bytearray(10 ** 7))", "f", [[]]) == []


def test_a_fork_loop_forks_nothing(sandboxed: None) -> None:
    code = (
        "import os, threading, subprocess, sys\ndef f():\n    done = 0\n"
        "    for _ in range(50):\n"
        "        try:\n            if os.fork() == 0:\n                os._exit(0)\n            done += 1\n"
        "        except OSError: pass\n"
        "    for _ in range(50):\n"
        "        try:\n            threading.Thread(target=int).start()\n            done += 1\n"
        "        except RuntimeError: pass\n"
        "    try:\n        subprocess.run([sys.executable, '-c', ''])\n        done += 1\n    except OSError: pass\n"
        "    return done"
    )
    assert sandbox.run(code, "f", [[]]) == [[0]]


def test_a_flood_of_output_is_cut(sandboxed: None) -> None:
    began = time.perf_counter()
    assert grade(answer("print('x' * 10 ** 7)\n" + RIGHT), GOLD, "code").lenient  # what it prints is nobody's business
    assert sandbox.run("def f():\n    return 'x' * 10 ** 7", "f", [[]]) == []
    assert not grade(answer(WRITE + "while True: write(b'[5]\\n' * 10000)"), GOLD, "code").lenient
    assert time.perf_counter() - began < 30  # and not for ever


def test_it_works_from_threads_and_a_loop_does_not_hold_the_others(limited: float) -> None:
    items = [RIGHT, ENDLESS["infinite loop"], RIGHT, "def f(a, b):\n    return 0", RIGHT]
    with ThreadPoolExecutor(5) as threads:
        verdicts = list(threads.map(lambda code: grade(answer(code), GOLD, "code").strict, items))
    assert verdicts == [True, False, True, False, True]


def test_a_sandbox_killed_in_the_middle_is_tried_again(sandboxed: None) -> None:
    """Killed from outside, twice in a row it is an error; a program that kills itself is wrong."""
    code = "import time\ndef f(a, b):\n    time.sleep(0.5)\n    return a + b"

    def kill(times: int) -> None:
        for _ in range(times):
            while not (found := processes()):
                time.sleep(0.005)
            time.sleep(0.2)
            for pid in found:
                os.kill(int(pid), signal.SIGKILL)
            while found & processes():
                time.sleep(0.005)

    killer = threading.Thread(target=kill, args=(1,))
    killer.start()
    assert grade(answer(code), GOLD, "code").strict
    killer.join()
    killer = threading.Thread(target=kill, args=(2,))
    killer.start()
    with pytest.raises(sandbox.SandboxError, match=r"from outside|before the program began"):
        grade(answer(code), GOLD, "code")
    killer.join()
    suicide = "import os\nos.kill(os.getpid(), 9)"
    assert not grade(answer(suicide), GOLD, "code").lenient


REFUSALS = {
    "no bwrap": ("rm bwrap", "there is no bubblewrap"),
    "bwrap fails": ("echo no rights >&2; exit 1", "does not work here"),
    "no isolation": ('while [ "$1" != "/" ] || [ "$2" = "/" ]; do shift; done; shift 3; exec "$@"', "does not isolate"),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="THE REFUSALS NOT TESTED: they are about Linux")
@pytest.mark.parametrize("name", REFUSALS)
def test_without_isolation_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A bwrap that is missing, that fails, and one that just runs what it is given (as nobody, without limits)."""
    script, says = REFUSALS[name]
    trace = tmp_path / "trace"
    if name != "no bwrap":
        (tmp_path / "bwrap").write_text("#!/bin/sh\n" + script + "\n")
        (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}" if name != "no bwrap" else str(tmp_path))
    sandbox.require.cache_clear()
    try:
        with pytest.raises(UserError, match=says) as caught:
            load_task("code")
        assert "apt-get install bubblewrap" in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(UserError, match=says):
            grade(answer(f"open({str(trace)!r}, 'w')\n{RIGHT}"), GOLD, "code")
        rows = tmp_path / "rl.jsonl"
        rows.write_text(json.dumps({"question": "q", "function": "f", "tests": [{"args": [], "returns": 1}]}) + "\n")
        with pytest.raises(UserError, match=says):
            load_task(f"jsonl:{rows}").problems("rl")
    finally:
        sandbox.require.cache_clear()
    assert not trace.exists()


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="SANDBOX NOT TESTED: `apt-get install bubblewrap`")
def test_a_sandbox_ends_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import os, threading, time\nfrom reasonwright.verify import sandbox\n"
        "threading.Thread(target=sandbox.run, args=('while True: pass', 'f', [[]], 60.0), daemon=True).start()\n"
        "time.sleep(1)\nprint(open(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    deadline = time.monotonic() + 10
    pids = done.stdout.split()
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if _runs(pid)]


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
