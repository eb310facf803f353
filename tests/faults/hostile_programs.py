"""Programs as a policy might write them: that do not end, that forge a reply, that search for what is right."""

from __future__ import annotations

ENDLESS = {
    "infinite loop": "def f(a, b):\n    while True: pass",
    "loop at import": "while True: pass",
    "sleep": "import time\ntime.sleep(60)",
    "deaf to signals": "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\nwhile True: pass",
    "silent but alive": "import os, time\nfor n in range(3, 32):\n    try: os.close(n)\n    except OSError: pass\n"
    "time.sleep(60)",
}

WRITE = """import os
def write(data):
    for n in range(3, 10):
        try: os.write(n, data)
        except OSError: pass
"""
FORGERIES = {
    "sys.exit(0)": "import sys\nsys.exit(0)",
    "exit in the call": "import sys\ndef f(a, b):\n    sys.exit(0)",
    "os._exit": "import os\nos._exit(0)",
    "raise": "def f(a, b):\n    raise AssertionError",
    "equal to everything": "class E:\n    def __eq__(self, other): return True\n    __hash__ = None\n"
    "def f(a, b):\n    return E()",
    "an int equal to everything": "class E(int):\n    def __eq__(self, other): return True\n"
    "def f(a, b):\n    return E(7)",
    "builtins": "import builtins\nbuiltins.AssertionError = None\nbuiltins.all = lambda x: True\n"
    "builtins.isinstance = lambda *a: True\ndef f(a, b):\n    return None",
    "json": "import json\njson.dumps = lambda *a, **k: '[true]'\njson.loads = lambda *a: [[5], [0]]\n"
    "def f(a, b):\n    return 7",
    "print": "print('ready')\nprint('[5]')\nprint('[0]')\ndef f(a, b):\n    return 7",
    "too many replies": WRITE + "write(b'[5]\\n[0]\\n')\ndef f(a, b):\n    return a + b",
    "half a reply": WRITE + "write(b'[5]\\n[0')\nos._exit(0)",
    "no JSON": WRITE + "write(b'[' * 100000 + b'\\n')\nos._exit(0)",
    "a number of 5,000 digits": "def f(a, b):\n    return 10 ** 4299",
    "not a value": "def f(a, b):\n    return f",
}

# Each searches for what would be right, and returns it if it finds it.
READERS = {
    "frames": """
        import sys
        frame, seen = sys._getframe(), []
        while frame:
            seen.append(repr(frame.f_locals) + repr(frame.f_globals))
            frame = frame.f_back
        return seen""",
    "garbage collector": "import gc; return [repr(o)[:500] for o in gc.get_objects()]",
    "main module": "import __main__; return [repr(vars(__main__))]",
    "command line": "import sys; return [repr(sys.argv) + repr(sys.orig_argv)]",
    "files": """
        import os
        seen = []
        for place, folders, names in os.walk("/"):
            if place == "/":
                folders[:] = set(folders) - {"lib", "lib64"}  # the system's libraries
            if place == "/usr":
                folders.clear()
            if any(word in place for word in ("reasonwright", "/proc", "/home", "/tmp")):
                seen.append(place)
            for name in names:
                if "code_problems" in name or name.endswith(".jsonl"):
                    seen.append(name)
        return seen""",
    "standard input": "import sys; return [sys.stdin.read()]",
    "environment": "import os; return [repr(os.environ)]",
}
