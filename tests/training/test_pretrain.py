"""Pretraining on a stream of documents."""

from __future__ import annotations

import json
from itertools import count, islice
from pathlib import Path

import pytest
import torch

import reasonwright.training.pretrain as module
from reasonwright.chat import ChatFormat
from reasonwright.models.load import load_model, load_tokenizer
from reasonwright.pretraining import pretrain_embedded
from reasonwright.runlog import append_jsonl, read_jsonl
from reasonwright.training.pretrain import PretrainSettings, pretrain
from toy import same_weights, weights


def sums(seed: int, shard: int):
    """Some with a question, some without."""
    for i in count(1000 * seed + shard % 1000):
        a, b = i % 7, i % 5
        yield f"{a} + {b} = {a + b}" if i % 3 == 0 else f"Question: What is {a} + {b}?\nAnswer: The answer is {a + b}."


SETTINGS = PretrainSettings(shape="tiny", vocabulary=300, steps=6, tokens_per_step=200, checkpoint_every=2, seed=3)


def run(folder: Path, stop_before: int | None, monkeypatch: pytest.MonkeyPatch):
    def append(path: Path, rows: list[dict]) -> None:
        if rows[0]["step"] == stop_before:
            raise KeyboardInterrupt
        append_jsonl(path, rows)

    monkeypatch.setattr(module, "append_jsonl", append)
    model, _, tokens, _ = pretrain(sums, SETTINGS, folder)
    return weights(model), tokens, [r["loss"] for r in read_jsonl(folder / "metrics.jsonl")]


def test_stopped_and_gone_on_with_it_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    expected, tokens, losses = run(tmp_path / "whole", None, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", 3, monkeypatch)
    got = run(tmp_path / "cut", None, monkeypatch)
    assert same_weights(got[0], expected)
    assert got[1:] == (tokens, losses)
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    state = json.loads((tmp_path / "cut" / "checkpoints" / "checkpoint-6" / "state.json").read_text())
    assert state["extra"]["tokens"] == tokens


def test_questions_are_read_and_answers_predicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run(tmp_path, None, monkeypatch)
    chat = ChatFormat(module.PreTrainedTokenizerFast.from_pretrained(tmp_path / "tokenizer"))
    rows = module._rows(sums(3, 0), chat, 200)
    assert sum(map(len, rows)) >= 200
    for row, text in zip(rows, islice(sums(3, 0), len(rows)), strict=True):
        question, answer = chat.decode(row.prompt_ids), chat.decode(row.completion_ids)
        assert question + answer == text
        assert question == text[: text.find(" The answer")] if "Question" in text else question == ""
        assert row.completion_ids[-1] == chat.end_id
        assert [*row.prompt_ids, *row.completion_ids[:-1]] == chat.tokenizer(text).input_ids


def test_a_model_goes_on_with_another_part_of_the_corpus(tmp_path: Path):
    """Its weights and its tokenizer; and the card tells of both parts."""
    pretrain_embedded("tiny", 1, 0, tmp_path / "first")
    start = tmp_path / "first" / "model"
    pretrain_embedded("tiny", 1, 1, tmp_path / "later", rate=2e-3, start=str(start), part="ages")
    made = tmp_path / "later" / "model"
    before, after = load_model(str(start)), load_model(str(made))
    steps = [(a - b).abs().max() for a, b in zip(before.parameters(), after.parameters(), strict=True) if a.ndim == 2]
    assert 0 < max(steps) < 0.01  # one step from there, not from nothing
    assert load_tokenizer(str(made)).get_vocab() == load_tokenizer(str(start)).get_vocab()
    card = (made / "README.md").read_text()
    assert [line for line in card.splitlines() if line.startswith("- **Seed")] == ["- **Seed:** 1", "- **Seed:** 0"]
    parts = [line.split("part ")[1][:6] for line in card.splitlines() if line.startswith("- **Corpus")]
    assert parts == ['"ages"', '"all",']


@pytest.fixture(autouse=True)
def _precision():
    """Pretraining sets torch's precision for the process."""
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)
