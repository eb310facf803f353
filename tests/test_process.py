"""What a process is set to before torch is loaded."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import json, os, resource
from reasonwright.process import prepare_process
prepare_process()
import numpy
def once():
    arrays = [numpy.ones(2**21) for _ in range(16)]  # 16 MiB each
once()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    once()
print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, os.environ["GOMP_SPINCOUNT"]]))
"""


def run(**environment: str) -> tuple[int, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_", "GOMP_", "OMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=clean | environment
    )
    faults, spins = json.loads(done.stdout)
    return faults, spins


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_used_again():
    """256 MiB made and freed three times are 196,608 pages of 4 KiB."""
    assert run()[0] < 2_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_the_user_set_stays():
    faults, spins = run(MALLOC_MMAP_THRESHOLD_="1048576", GOMP_SPINCOUNT="7")
    assert faults > 10_000
    assert spins == "7"
