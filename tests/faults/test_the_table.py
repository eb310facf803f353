"""docs/reliability.md names tests that are there."""

from __future__ import annotations

import re

from places import ROOT

NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8"))


def test_every_test_of_the_table_is_there() -> None:
    assert len(NAMED) > 30
    for path, name in NAMED:
        assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{name}"
