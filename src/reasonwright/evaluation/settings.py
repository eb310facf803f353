"""Settings of evaluation. No torch in here."""

from __future__ import annotations

from pydantic import Field

from reasonwright.settings import Settings


class EvaluateSettings(Settings):
    problems: int | None = Field(1000, ge=1)
    """Held-out problems, the same for every model; all where null."""
    max_tokens: int = Field(512, ge=1)
    base_shots: int = Field(4, ge=0)
    """Worked examples before the question when the base model is asked to think step by step."""
    also: list[str] = Field(default_factory=list)
    """Further tasks on which SFT, GRPO and student are measured: ["word_problems_long"]."""
