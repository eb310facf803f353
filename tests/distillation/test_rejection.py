"""Rejection sampling: what is kept, what is counted, and going on with a file that was cut."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonwright.distillation.rejection import (
    kept_problems,
    rejection_sample,
    sample_solutions,
    select,
    statistics_of,
)
from reasonwright.distillation.settings import RejectionSettings
from reasonwright.runlog import read_json, read_jsonl
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.sampling.native import NativeSampler
from reasonwright.training.sft import encode_rows
from reasonwright.types import Completion, UserError
from toy import SUMS, fresh_model, toy_chat


def row(id: str, index: int, text: str = "", strict: bool = True, difficulty: int | None = 1) -> dict:
    return {
        "id": id, "index": index, "text": text or f"{id}/{index}", "strict": strict, "lenient": strict,
        "difficulty": difficulty, "question": "q", "gold": "1", "answer_kind": "number", "tokens": 3,
    }  # fmt: skip


def names(rows: list[dict]) -> list[str]:
    return [f"{r['id']}{r['index']}" for r in rows]


def test_only_right_and_strict_solutions_are_kept():
    rows = [row("a", 0), row("a", 1, strict=False), row("a", 2) | {"strict": False, "lenient": True}, row("b", 0)]
    assert names(select(rows, RejectionSettings())) == ["a0", "b0"]


def test_duplicates_are_dropped_white_space_aside():
    rows = [row("a", 0, "x y"), row("a", 1, "x  y\n"), row("a", 2, "x z"), row("b", 0, "x y")]
    assert names(select(rows, RejectionSettings(balance=False))) == ["a0", "a2", "b0"]


def test_at_most_the_cap_of_a_problem():
    rows = [row("a", i) for i in range(5)] + [row("b", 0)]
    assert names(select(rows, RejectionSettings(cap_per_problem=2, balance=False))) == ["a0", "a1", "b0"]


def test_balance_takes_the_median_number_of_each_difficulty():
    """6, 2 and 1 solutions: at most 2 of each, from different problems first."""
    rows = [row(p, i, difficulty=1) for p in "abc" for i in range(2)]
    rows += [row("d", i, difficulty=2) for i in range(2)] + [row("e", 0, difficulty=3)]
    assert names(select(rows, RejectionSettings())) == ["a0", "b0", "d0", "d1", "e0"]
    assert len(select(rows, RejectionSettings(balance=False))) == 9


rows_of_any_run = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 3), st.booleans()), max_size=40, unique_by=lambda r: r[:2]
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(rows_of_any_run, st.integers(1, 3), st.booleans())
def test_what_holds_of_any_selection(drawn: list, cap: int, balance: bool):
    rows = [row(id, i, text=f"{id}{i // 2}", strict=s, difficulty=ord(id) % 3) for id, i, s in drawn]
    kept = select(rows, RejectionSettings(cap_per_problem=cap, balance=balance))
    assert all(r["strict"] for r in kept)
    assert max(Counter(r["id"] for r in kept).values(), default=0) <= cap
    assert len({(r["id"], r["text"]) for r in kept}) == len(kept)
    if not balance:  # nothing more is left out than duplicates and what the cap forbids
        texts = Counter(id for id, _ in {(r["id"], r["text"]) for r in rows if r["strict"]})
        assert Counter(r["id"] for r in kept) == {id: min(cap, n) for id, n in texts.items()}
    else:  # every difficulty that was solved stays
        assert {r["difficulty"] for r in kept} == {r["difficulty"] for r in rows if r["strict"]}


def test_statistics_by_hand():
    rows = [row("a", 0, "x"), row("a", 1, "x"), row("a", 2, "y"), row("a", 3, strict=False)]
    rows += [row("b", i, strict=False, difficulty=2) for i in range(3)]
    rows += [row("b", 3, strict=False, difficulty=2) | {"lenient": True}]
    figures = RejectionSettings(solutions_per_problem=4)
    stats = statistics_of(rows, select(rows, figures), figures)
    assert stats == {
        "problems": 2,
        "solutions_per_problem": 4,
        "sampled": 8,
        "tokens": 24,
        "right": 4,
        "strict_right": 3,
        "duplicates": 1,
        "kept": 2,
        "problems_solved": 1,
        "yield": 0.25,
        "pass_rate_histogram": [1, 0, 0, 0, 0, 0, 0, 1, 0, 0],
        "by_difficulty": {
            "1": {"problems": 1, "kept": 2, "pass_rate": 0.75},
            "2": {"problems": 1, "kept": 0, "pass_rate": 0.0},
        },
    }


class Scripted:
    """A sampler that answers sums: every other solution is right, every fourth was cut."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def sample(self, requests: list[SampleRequest], params: SamplingParams) -> list[list[Completion]]:
        self.asked += [request.key for request in requests]
        return [[self._answer(r.key, i) for i in range(params.n)] for r in requests]

    def _answer(self, key: str, index: int) -> Completion:
        gold = next(p.answer for p in SUMS if p.id == key)
        said = gold if index % 2 == 0 else "0"
        text = f"<think>\nway {index // 4}\n</think>\n\nThe answer is {said}."
        return Completion([1, 2], [-1.0, -1.0], text, "length" if index % 4 == 2 else "stop")


FEW = RejectionSettings(solutions_per_problem=4, problems_per_chunk=3, max_tokens=8)


def test_a_right_answer_that_was_cut_is_not_kept(tmp_path: Path):
    kept = rejection_sample(Scripted(), toy_chat(), SUMS, FEW, seed=0, folder=tmp_path)
    assert [p.id for p in kept] == [f"toy/{i}#0" for i in range(8)]
    stats = read_json(tmp_path / "stats.json")
    assert (stats["sampled"], stats["right"], stats["strict_right"], stats["kept"]) == (32, 16, 8, 8)
    assert kept_problems(read_jsonl(tmp_path / "kept.jsonl")) == kept


def test_kept_solutions_are_trained_on_as_they_were_written(tmp_path: Path):
    chat = toy_chat()
    kept = rejection_sample(Scripted(), chat, SUMS, FEW, seed=0, folder=tmp_path)
    rows = encode_rows(kept, chat, 512)
    assert [chat.decode(r.completion_ids) for r in rows] == [r["text"] for r in read_jsonl(tmp_path / "kept.jsonl")]
    assert [list(r.prompt_ids) for r in rows] == [chat.prompt(p.question).ids for p in SUMS]


def test_nothing_right_is_said_and_stops(tmp_path: Path):
    with pytest.raises(UserError, match="kept none of 16 solutions"):
        rejection_sample(NativeSampler(fresh_model(), toy_chat()), toy_chat(), SUMS[:4], FEW, seed=0, folder=tmp_path)
    assert read_json(tmp_path / "stats.json")["kept"] == 0


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.4, 0.75, 0.99, 1.0])
def test_goes_on_with_a_file_that_was_cut(tmp_path: Path, keep: float):
    """Cut at any byte, in a row or between; three problems are a chunk of 12 rows."""
    model, chat = fresh_model(), toy_chat()

    def run(file: Path) -> list[dict]:
        return sample_solutions(NativeSampler(model, chat), chat, SUMS, FEW, seed=9, file=file)

    rows = run(tmp_path / "whole.jsonl")
    whole = (tmp_path / "whole.jsonl").read_bytes()
    assert len(rows) == 32
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(whole[: int(len(whole) * keep)])
    assert run(cut) == rows
    assert cut.read_bytes() == whole
    assert [(r["id"], r["index"]) for r in map(json.loads, whole.splitlines())] == [
        (p.id, i) for p in SUMS for i in range(4)
    ]


def test_whole_chunks_are_not_sampled_again(tmp_path: Path):
    file = tmp_path / "solutions.jsonl"
    sample_solutions(Scripted(), toy_chat(), SUMS, FEW, seed=0, file=file)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:17]) + lines[17][:5])
    sampler = Scripted()
    sample_solutions(sampler, toy_chat(), SUMS, FEW, seed=0, file=file)
    assert sampler.asked == [p.id for p in SUMS[3:]]
    sampler = Scripted()
    sample_solutions(sampler, toy_chat(), SUMS, FEW, seed=0, file=file)
    assert sampler.asked == []
