"""Fixtures that every part of the tests may use."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from reasonwright.process import prepare_process

prepare_process()  # before torch is imported, as the command line does
os.environ.setdefault("HF_HUB_OFFLINE", "1")
_CACHE = tempfile.TemporaryDirectory(prefix="reasonwright-tests-")
os.environ["REASONWRIGHT_CACHE"] = _CACHE.name  # nobody's own kept answers are read or written

import pytest

from places import ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets: $REASONWRIGHT_DATA, else ../shared/data beside the checkout."""
    folder = Path(os.environ.get("REASONWRIGHT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"REAL DATA NOT TESTED: no folder {folder}; set REASONWRIGHT_DATA to where gsm8k, svamp, … are")
    return folder


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Small files of our own in the formats of the public sets."""
    return ROOT / "tests" / "fixtures"
