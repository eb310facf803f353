"""The microscope's shades and clips against the loss itself, and the choice of steps."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from fake_run import write_run
from read_back import read_page

from reasonwright.objectives.kl import kl_estimate
from reasonwright.objectives.policy_loss import policy_loss
from reasonwright.report.build import build_report
from reasonwright.report.microscope import RATIO_STEPS, clipped_tokens, k3, load_scopes, shade
from reasonwright.types import Batch

LOG_RATIOS = [math.log(r) for r in (0.5, 0.79, 0.81, 1.0, 1.19, 1.21, 3.0)]


@pytest.mark.parametrize("level", ["token", "sequence", "sequence_mean"])
@pytest.mark.parametrize("clip", ["pessimistic", "detached"])
@pytest.mark.parametrize("advantage", [1.0, -1.0])
def test_clipped_is_what_the_loss_counts_as_clipped(level: str, clip: str, advantage: float) -> None:
    ones = torch.ones(1, len(LOG_RATIOS))
    ids = torch.zeros(1, len(LOG_RATIOS), dtype=torch.long)
    batch = Batch(ids, ids, ids + 1, ids, ones.bool(), ids, ones, advantages=advantage * ones, old_logprobs=0 * ones)
    out = policy_loss(torch.tensor([LOG_RATIOS]), batch, ratio=level, clip=clip)
    found = clipped_tokens(LOG_RATIOS, level, clip, advantage, 0.2, 0.2)
    assert sum(found) == out.metrics["clip_share"]
    if (level, clip, advantage) == ("token", "pessimistic", 1.0):
        assert found == [False] * 5 + [True] * 2


def test_k3_is_the_objectives() -> None:
    for d in (-3.0, -1e-3, 0.0, 0.4, 30.0):
        assert k3(d) == pytest.approx(float(kl_estimate(torch.tensor(d), torch.tensor(0.0), "k3")), rel=1e-4)


def test_the_darkest_shade_lies_beyond_the_bound() -> None:
    assert [shade(way, RATIO_STEPS) for way in (0.0, 0.05, 0.2, 0.99, 1.0)] == [0, 1, 2, 3, 4]


def test_four_steps_with_first_and_last(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", problems=16, steps=8)
    file = run / "grpo" / "microscope.jsonl"
    row = json.loads(file.read_text().splitlines()[0])
    file.write_text("".join(json.dumps(row | {"step": step}) + "\n" for step in (0, 9, 19, 29, 39, 49, 59)))
    assert [scope.title for scope in load_scopes(run)] == ["Step 0", "Step 19", "Step 39", "Step 59"]
    file.write_text(json.dumps(row | {"step": 3}) + "\n")
    assert [scope.title for scope in load_scopes(run)] == ["Step 3"]


def test_tokens_carry_their_shades_and_figures(demo: Path) -> None:
    page = read_page(demo)
    tokens = [attributes for tag, attributes in page.tags if tag == "i" and "title" in attributes]
    pushed = {a["class"] for a in tokens if str(a["title"]).startswith("ratio 1.284")}
    assert pushed == {f"u4 d{d} k{k} x" for d in (0, 1) for k in (0, 2)} | {f"u4 d{d} k1 x" for d in (0, 1)}
    assert not any(str(a["class"]).endswith("x") for a in tokens if str(a["title"]).startswith("ratio 1.000"))


def test_a_row_that_does_not_fit_is_shown_without_tokens(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", problems=16, steps=8)
    file = run / "grpo" / "microscope.jsonl"
    row = json.loads(file.read_text().splitlines()[0])
    row["completions"][0]["after"] = [0.0]
    row["completions"][1]["sampler"][0] = "x"
    row["completions"][2] = "?"
    row["completions"][3]["after"][0] = 1e29
    file.write_text(json.dumps(row) + "\n")
    scope = load_scopes(run)[0]
    assert [len(seen.tokens) > 0 for seen in scope.seen] == [False, False, False, True]
    build_report(run)
