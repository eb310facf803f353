"""SFT: it learns, each epoch is a permutation, and it measures what it says."""

from __future__ import annotations

import logging
import math
from collections import Counter
from pathlib import Path

import pytest
import torch

from reasonwright.data.packing import TokenSequence
from reasonwright.evaluation.evaluate import evaluate_model
from reasonwright.runlog import read_jsonl
from reasonwright.training.settings import OptimSettings, SFTSettings
from reasonwright.training.sft import encode_rows, rows_of_step, train_sft
from reasonwright.types import Problem, UserError
from toy import SUMS, fresh_model, same_weights, toy_chat, weights

FAST = OptimSettings(lr=1e-2, warmup_steps=5)


def train(folder: Path, problems=SUMS, held_out=(), seed: int = 0, **settings):
    model = fresh_model()
    chosen = SFTSettings(**{"epochs": 2, "batch_size": 4, "optim": FAST} | settings)
    train_sft(model, toy_chat(), problems, chosen, seed=seed, folder=folder, held_out=held_out)
    return model, read_jsonl(folder / "metrics.jsonl")


def test_learns_eight_rows_by_heart(tmp_path: Path):
    model, rows = train(tmp_path, epochs=160, batch_size=8)
    assert rows[0]["loss"] == pytest.approx(math.log(1024), rel=0.02)  # a model that knows nothing
    assert rows[-1]["loss"] < 0.2
    result, answers = evaluate_model(model, toy_chat(), SUMS, name="m", task="toy", max_tokens=40)
    assert result.accuracy == 1.0, answers
    assert answers[0]["text"] == "<think>\n2 + 3 = 5.\n</think>\n\nThe answer is 5."


@pytest.mark.parametrize(("rows", "batch_size"), [(10, 4), (8, 4), (3, 8), (1, 1)])
def test_an_epoch_holds_every_row_once(rows: int, batch_size: int):
    data = [TokenSequence([i], [i]) for i in range(rows)]
    per_epoch = math.ceil(rows / batch_size)
    orders = []
    for epoch in range(3):
        steps = [rows_of_step(data, epoch * per_epoch + i, batch_size, 7) for i in range(per_epoch)]
        assert all(0 < len(step) <= batch_size for step in steps)
        orders.append([row.prompt_ids[0] for step in steps for row in step])
        assert sorted(orders[-1]) == list(range(rows))
    if rows > 3:
        assert orders[0] != orders[1] != orders[2]


def test_the_order_is_a_function_of_seed_and_step():
    data = [TokenSequence([i], [i]) for i in range(16)]
    later = rows_of_step(data, 5, 4, 7)
    rows_of_step(data, 0, 4, 99)
    assert rows_of_step(data, 5, 4, 7) == later
    assert rows_of_step(data, 5, 4, 8) != later


def test_the_loss_is_that_of_the_completion_or_of_all(tmp_path: Path):
    """The logged figure against plain cross-entropy, sequence by sequence."""
    model, chat = fresh_model(), toy_chat()
    sums: Counter[str] = Counter()
    for row in encode_rows(SUMS, chat, 512):
        ids = torch.tensor([[*row.prompt_ids, *row.completion_ids]])
        with torch.no_grad():
            nll = -model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None]).squeeze(1)
        start = len(row.prompt_ids) - 1
        sums.update({"all": float(nll.sum()), "all_tokens": len(nll)})
        sums.update({"completion": float(nll[start:].sum()), "completion_tokens": len(nll) - start})
    for which in ("completion", "all"):
        _, rows = train(tmp_path / which, batch_size=8, epochs=1, loss_on=which)
        assert rows[0]["loss"] == pytest.approx(sums[which] / sums[which + "_tokens"], rel=1e-5)
        assert rows[0]["tokens"] == sums[which + "_tokens"]


def test_rows_that_are_too_long_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    long = Problem("toy/long", "What is 1 + 1?", "2", "1 + 1 = 2. " * 40)
    with caplog.at_level(logging.WARNING, "reasonwright"):
        _, rows = train(tmp_path, [*SUMS, long], max_length=60, epochs=1, batch_size=16)
    assert "1 of 9 rows are longer than 60 tokens" in caplog.text
    _, without = train(tmp_path / "without", max_length=60, epochs=1, batch_size=16)
    assert rows[0]["tokens"] == without[0]["tokens"]


def test_none_fits(tmp_path: Path):
    with pytest.raises(UserError, match="none of the 8 training rows fits in max_length = 5 tokens"):
        train(tmp_path, max_length=5)


def test_a_row_without_a_solution(tmp_path: Path):
    with pytest.raises(UserError, match="toy/x has neither a solution nor a completion"):
        train(tmp_path, [Problem("toy/x", "q", "1")])


def test_a_completion_is_trained_on_as_it_is():
    chat = toy_chat()
    written = Problem("toy/x", "q", "1", solution="not this", completion="<think>\nmine\n</think>\n\nThe answer is 1.")
    (row,) = encode_rows([written], chat, 512)
    assert chat.decode(row.completion_ids) == written.completion
    assert row.completion_ids[-1] == chat.end_id
    assert list(row.prompt_ids) == chat.prompt("q").ids


def test_held_out_rows_are_measured_and_never_trained_on(tmp_path: Path):
    held_out = [Problem("toy/h", "What is 40 + 2?", "42", "40 + 2 = 42.")]
    model, rows = train(tmp_path / "a", held_out=held_out, eval_every=2, epochs=3)
    assert [row["step"] for row in rows if "eval_loss" in row] == [1, 3, 5]
    without, _ = train(tmp_path / "b", epochs=3)
    assert same_weights(weights(model), weights(without))
    ids = encode_rows(held_out, toy_chat(), 512)[0]
    tokens = torch.tensor([[*ids.prompt_ids, *ids.completion_ids]])
    with torch.no_grad():
        logits = model(tokens).logits[0, len(ids.prompt_ids) - 1 : -1]
    nll = -logits.log_softmax(-1).gather(1, tokens[0, len(ids.prompt_ids) :, None]).mean()
    assert rows[-1]["eval_loss"] == pytest.approx(float(nll), rel=1e-4)  # after the last step, of the last weights


def test_the_seed_decides_the_weights(tmp_path: Path):
    one, other, third = (train(tmp_path / str(i), seed=s)[0] for i, s in enumerate((3, 3, 4)))
    assert same_weights(weights(one), weights(other))
    assert not same_weights(weights(one), weights(third))


def test_accumulation_changes_nothing(tmp_path: Path):
    """Rows of 37 to 41 tokens in one forward pass or in four."""
    _, whole = train(tmp_path / "a", batch_size=8)
    _, parts = train(tmp_path / "b", batch_size=8, optim=FAST.model_copy(update={"micro_batch_tokens": 80}))
    for a, b in zip(whole, parts, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["tokens"] == b["tokens"]
