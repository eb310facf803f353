"""The base of every stage's settings. No torch: a recipe is read and refused before anything heavy is imported."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen, and strict: unknown keys and wrong types are errors. A field's docstring is its documentation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)
