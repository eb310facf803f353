"""The run's questions: yes and no come from intervals, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_run import write_run

from reasonwright.evaluation.compare import compare_greedy
from reasonwright.report.behaviours import load_thoughts
from reasonwright.report.controls import load_controls
from reasonwright.report.pairs import load_pairs
from reasonwright.report.questions import Question, ask, verdict
from reasonwright.runlog import read_jsonl

PAIR, RANDOM, MORE_SFT, GROWS, CHECKS, CHECKS_HELP, BACK, BACK_HELPS, CAUSAL, STUDENT = range(10)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", steps=8)


def asked(run: Path) -> list[Question]:
    return ask(load_pairs(run), load_controls(run), load_thoughts(run))


def change(file: Path, *keys: str, value: object) -> None:
    whole = json.loads(file.read_text())
    inner = whole
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    file.write_text(json.dumps(whole))


def test_yes_is_an_interval_above_0() -> None:
    cases = {(0.01, 0.2): "yes", (0.0, 0.2): "no", (-0.1, 0.2): "no", (-0.2, -0.1): "no", None: "not measured"}
    assert {ends: verdict(ends) for ends in cases} == cases


def test_answers_of_a_whole_run(run: Path) -> None:
    found = asked(run)
    told = {i: found[i].verdict for i in range(10)}
    assert told == {
        PAIR: "yes", RANDOM: "yes", MORE_SFT: "not measured", GROWS: "yes", CHECKS: "yes", CHECKS_HELP: "yes",
        BACK: "no", BACK_HELPS: "not measured", CAUSAL: "yes", STUDENT: "yes",
    }  # fmt: skip
    assert "+38.0 points for GRPO (95\u202f% interval +35.0 to +41.0; n = 120)" in found[RANDOM].answer
    assert found[BACK].answer.endswith("The interval includes 0: no difference is shown.")
    assert "70.0\u202f% of GRPO's answers change (58.0–80.0), 65.0\u202f% to the number put in" in found[CAUSAL].answer


def test_the_paired_answer_has_the_figures_of_the_answers(run: Path) -> None:
    sft, grpo = (read_jsonl(run / "eval" / f"{stage}.jsonl") for stage in ("sft", "grpo"))
    c = compare_greedy(sft, grpo)["strict"]
    answer = asked(run)[PAIR].answer
    assert f"{100 * c['difference']:+.1f} points" in answer
    assert f"{c['only_second']} were right for GRPO alone and {c['only_first']} for SFT alone" in answer


def test_no_where_there_is_nothing_or_the_other_way(run: Path) -> None:
    behaviours, ablation = run / "eval" / "behaviours.json", run / "ablate.json"
    change(behaviours, "grpo", "thinking", "slope_tokens_ci95", value=[-0.2, 1.1])
    change(behaviours, "grpo", "verification", "usefulness", "ci95", value=[-0.2, -0.1])
    change(behaviours, "grpo", "causal", "last_step", "p_drop_ci95", value=[-0.01, 0.02])
    change(ablation, "arms", "random_reward", "strict", "difference_ci95", value=[-0.02, 0.03])
    found = asked(run)
    assert [found[i].verdict for i in (RANDOM, GROWS, CHECKS_HELP, CAUSAL)] == ["no"] * 4
    assert found[CHECKS_HELP].answer.endswith("The difference lies the other way.")
    (run / "eval" / "sft.jsonl").write_text((run / "eval" / "grpo.jsonl").read_text())
    same = asked(run)[PAIR]
    assert same.verdict == "no"
    assert same.answer.startswith("+0.0 points of strict accuracy")
    assert "McNemar p = 1.0000" in same.answer


def test_without_the_files_nothing_is_claimed(run: Path) -> None:
    (run / "eval" / "behaviours.json").unlink()
    (run / "ablate.json").unlink()
    assert [q.verdict for q in asked(run)] == ["yes", *["not measured"] * 8, "yes"]
