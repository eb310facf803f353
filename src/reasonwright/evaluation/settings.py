"""Settings of evaluation. No torch in here."""

from __future__ import annotations

from pydantic import Field, field_validator

from reasonwright.settings import Settings


class EvaluateSettings(Settings):
    problems: int | None = Field(1000, ge=1)
    """Held-out problems, the same for every model; all where null."""
    seed: int | None = None
    """Of the problems that a generator makes; the recipe's where null. Runs of several seeds are compared in pairs on
    the problems of one."""
    max_tokens: int = Field(512, ge=1)
    """Longest answer; what is longer is cut."""
    base_shots: int = Field(4, ge=0)
    """Worked examples before the question when the base model is asked to think step by step."""
    causal_problems: int = Field(50, ge=0)
    """Right answers of each stage whose thoughts are changed, to see whether they matter; 0: none."""
    also: list[str] = Field(default_factory=list)
    """Further tasks on which the trained models and the base are measured: ["word_problems_long"]."""
    also_problems: int | None = Field(None, ge=1)
    """Problems of each of these; as many as `problems` where null."""

    @field_validator("also")
    @classmethod
    def _told_apart(cls, also: list[str]) -> list[str]:
        names = [spec.partition(":")[0] for spec in also]
        if len(set(names)) < len(names):
            raise ValueError("each task can be measured once beside the main one, as its name names the file")
        return also
