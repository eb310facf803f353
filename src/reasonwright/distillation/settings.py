"""Settings of rejection sampling. Distillation itself is SFT and has its settings. No torch in here."""

from __future__ import annotations

from pydantic import Field

from reasonwright.settings import Settings


class RejectionSettings(Settings):
    problems: int | None = Field(None, ge=1)
    """Problems to solve, from the RL split; all where null (a generator needs a number)."""
    solutions_per_problem: int = Field(64, ge=1)
    """Solutions sampled of each problem."""
    max_tokens: int = Field(512, ge=1)
    """Longest solution; one that is cut is never kept."""
    temperature: float = Field(1.0, gt=0)
    """Divides the logits: higher gives more different solutions."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Draw from the likeliest tokens that hold this much probability."""
    cap_per_problem: int = Field(4, ge=1)
    """At most so many different right solutions of one problem are kept, in the order they were sampled."""
    balance: bool = True
    """Keep at most the median difficulty's number of solutions of each difficulty, so that easy problems, which are
    solved more often, do not fill the set."""
    problems_per_chunk: int = Field(32, ge=1)
    """Problems sampled and committed to solutions.jsonl at a time; going on starts at the newest whole chunk."""
