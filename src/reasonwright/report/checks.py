"""What the checks before the training and the watch during it said: check.json and grpo/warnings.jsonl."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reasonwright.report.answers import as_text, clip
from reasonwright.report.figures import count
from reasonwright.report.read import Row, as_dict, as_list, number, read_json, rows


@dataclass(frozen=True, slots=True)
class Said:
    place: str
    """ "chat template", "step 40"."""
    level: str
    """CSS class and badge: "good", "bad" or "doomed"."""
    text: str
    mend: str


def load_checks(run: Path) -> tuple[list[Said], list[Said]]:
    """(before the training, during it)"""
    found = as_list(as_dict(read_json(run / "check.json")).get("findings"))
    before = [_finding(as_dict(finding)) for finding in found if as_dict(finding)]
    return before, [_warning(row) for row in rows(run / "grpo" / "warnings.jsonl")]


def _finding(row: Row) -> Said:
    level = row.get("level")
    return Said(
        clip(as_text(row.get("check")), 60),
        level if level in ("good", "bad", "doomed") else "bad",
        clip(as_text(row.get("seen")), 600),
        clip(as_text(row.get("mend")), 600),
    )


def _warning(row: Row) -> Said:
    step, kind = number(row.get("step")), clip(as_text(row.get("kind")), 60).replace("_", " ")
    where = f"step {count(step)}, {kind}" if step is not None else kind
    return Said(where, "bad", clip(as_text(row.get("text")), 600), "")
