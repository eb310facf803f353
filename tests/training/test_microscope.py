"""The step microscope: what is logged of one group agrees with what was sampled, and shows what the update did."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_grpo import SMALL, low_ids

from reasonwright.runlog import read_jsonl
from reasonwright.training.grpo import train_grpo
from reasonwright.training.microscope import token_texts
from reasonwright.training.settings import GRPOSettings
from toy import SUMS, fresh_model, toy_chat


def rows_of(folder: Path, **changes) -> list[dict]:
    settings = GRPOSettings.model_validate(SMALL | changes)
    train_grpo(fresh_model(), toy_chat(), SUMS, low_ids, settings, seed=0, folder=folder)
    return read_jsonl(folder / "microscope.jsonl")


def test_watched_are_the_first_step_the_last_and_those_with_an_evaluation(tmp_path: Path):
    assert [row["step"] for row in rows_of(tmp_path / "a", steps=5)] == [0, 4]
    assert [row["step"] for row in rows_of(tmp_path / "b", steps=5, eval_every=2)] == [0, 1, 3, 4]


def test_without_a_change_the_update_leaves_all_as_sampled(tmp_path: Path):
    row = rows_of(tmp_path, steps=1, optim={"lr": 1e-30}, kl={"place": "loss"}, temperature=0.7)[0]
    for completion in row["completions"]:
        assert completion["after"] == pytest.approx(completion["sampler"], abs=1e-4)
        assert completion["reference"] == pytest.approx(completion["sampler"], abs=1e-4)
        assert "".join(completion["pieces"]).startswith(completion["text"])
        assert len(completion["pieces"]) == len(completion["sampler"]) == completion["tokens"]


def test_the_update_makes_better_completions_likelier(tmp_path: Path):
    """The first-order change of the group's own objective, sum of A log pi, is what the gradient rises along."""
    row = rows_of(tmp_path, steps=1, problems_per_step=1)[0]
    gains = [c["advantage"] * (sum(c["after"]) - sum(c["sampler"])) / c["tokens"] for c in row["completions"]]
    assert sum(gains) > 0.01
    assert all(c["reference"] is None for c in row["completions"])


def test_a_masked_completion_has_no_reference(tmp_path: Path):
    row = rows_of(tmp_path, steps=1, truncated="mask", kl={"place": "loss"})[0]
    for completion in row["completions"]:
        assert (completion["reference"] is None) == (completion["finish_reason"] == "length")
        assert len(completion["after"]) == completion["tokens"]


def test_going_on_writes_no_step_twice(tmp_path: Path):
    rows_of(tmp_path, steps=3, eval_every=1)
    whole = (tmp_path / "microscope.jsonl").read_text()
    last = whole.splitlines(keepends=True)[-1].replace('"step": 2', '"step": 3')  # left by a kill after its step
    (tmp_path / "microscope.jsonl").write_text(whole + last)
    rows = rows_of(tmp_path, steps=5, eval_every=1)
    assert [row["step"] for row in rows] == [0, 1, 2, 3, 4]


def test_token_texts_join_to_the_text():
    chat = toy_chat()
    text = "<think>\n12 × 3 = 36\n</think>\n\nThe answer is 36."
    ids = chat.tokenizer(text, add_special_tokens=False).input_ids
    assert len(ids) > 10
    assert "".join(token_texts(chat, ids)).replace("\ufffd", "") == text
