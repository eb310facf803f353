"""GRPO from problems to weights: a reward that rises, and figures that say what happened."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean, pstdev
from types import SimpleNamespace

import pytest

import reasonwright.training.grpo as grpo
from reasonwright.runlog import read_jsonl
from reasonwright.sampling.native import NativeSampler
from reasonwright.training.grpo import train_grpo
from reasonwright.training.rollout import keys_of, problems_of, rollout
from reasonwright.training.settings import GRPOSettings, LossSettings
from reasonwright.types import Completion, Problem, Reward, Verdict
from toy import SUMS, fresh_model, same_weights, toy_chat, weights, without_times

SMALL = {
    "steps": 2,
    "problems_per_step": 4,
    "group_size": 4,
    "max_tokens": 6,
    "optim": {"lr": 3e-3, "schedule": "constant"},
}
KEYS = {
    "step", "reward", "reward/low", "accuracy", "accuracy_lenient", "length", "length_right", "length_wrong",
    "truncated", "zero_variance", "zero_variance_groups", "pass_rate_histogram", "clip_share", "kl", "ratio", "entropy",
    "grad_norm", "loss", "lr", "skipped", "tokens", "sampler_gap",
    "behaviour/verification", "behaviour/verification_words", "behaviour/backtracking", "behaviour/backtracking_words",
    "steps_valid",
    "seconds/sampling", "seconds/scoring", "seconds/training",
    "tokens_per_s/sampling", "tokens_per_s/scoring", "tokens_per_s/training",
}  # fmt: skip
"""What each row of metrics.jsonl must say."""


def low_ids(problem: Problem, completion: Completion) -> Reward:
    """The share of tokens from the first half of the vocabulary; "right" where it is more than half."""
    value = sum(token < 512 for token in completion.token_ids) / len(completion.token_ids)
    return Reward(value, value, {"low": value}, Verdict(value > 0.5, value > 0.25, None))


def hopeless(problem: Problem, completion: Completion) -> Reward:
    return Reward(0.0, 0.0, {"low": 0.0}, Verdict(False, False, None))


def settings_of(**changes) -> GRPOSettings:
    return GRPOSettings.model_validate(SMALL | changes)


def train(folder: Path, score=low_ids, seed: int = 0, **changes):
    model = fresh_model()
    settings = settings_of(**changes)
    train_grpo(model, toy_chat(), SUMS, score, settings, seed=seed, folder=folder)
    return weights(model), read_jsonl(folder / "metrics.jsonl"), read_jsonl(folder / "rollouts.jsonl")


@pytest.mark.parametrize("variant", ["grpo", "dapo", "cispo", "rloo"])
def test_the_reward_rises(tmp_path: Path, variant: str):
    loss = {"variant": variant, "dynamic_sampling": False}
    optim = SMALL["optim"] | {"lr": 3e-2}
    _, rows, _ = train(tmp_path, steps=15, problems_per_step=8, group_size=8, loss=loss, optim=optim)
    assert rows[0]["reward"] == pytest.approx(0.5, abs=0.1)  # a model that knows nothing
    assert fmean(row["reward"] for row in rows[-3:]) > 0.75


def test_a_run_is_a_function_of_the_seed(tmp_path: Path):
    one, other, third = (train(tmp_path / str(i), seed=seed) for i, seed in enumerate((3, 3, 4)))
    assert same_weights(one[0], other[0])
    assert [without_times(r) for r in one[1]] == [without_times(r) for r in other[1]]
    assert one[2] == other[2]
    assert not same_weights(one[0], third[0])


@pytest.mark.parametrize("changes", [{}, {"kl": {"place": "loss"}}, {"kl": {"place": "reward"}}])
def test_metrics_say_all_and_agree_with_the_rollouts(tmp_path: Path, changes: dict):
    _, rows, rollouts = train(tmp_path, logged_groups=4, **changes)
    assert [row["step"] for row in rows] == [0, 1]
    for row in rows:
        assert row.keys() == KEYS
        groups = [g["completions"] for g in rollouts if g["step"] == row["step"]]
        each = [c for group in groups for c in group]
        assert len(groups) == 4
        assert len(each) == 16
        assert row["reward"] == pytest.approx(fmean(c["reward"] for c in each))
        assert row["reward/low"] == pytest.approx(fmean(c["parts"]["low"] for c in each))
        assert row["accuracy"] == fmean(c["strict"] for c in each)
        assert row["accuracy_lenient"] == fmean(c["lenient"] for c in each)
        assert row["length"] == fmean(c["tokens"] for c in each)
        assert row["truncated"] == fmean(c["finish_reason"] == "length" for c in each)
        for name, right in (("length_right", True), ("length_wrong", False)):
            found = [c["tokens"] for c in each if c["strict"] == right]
            assert row[name] == (fmean(found) if found else None)
        flat = [len({c["reward"] for c in group}) == 1 for group in groups]
        assert row["zero_variance_groups"] == sum(flat)
        assert row["zero_variance"] == fmean(flat)
        right = [sum(c["strict"] for c in group) for group in groups]
        assert row["pass_rate_histogram"] == [right.count(k) for k in range(5)]
        kept = [g for g, dropped in zip(groups, flat, strict=True) if not dropped]
        assert row["tokens"] == sum(c["tokens"] for group in kept for c in group)
        for group in kept:
            advantages = [c["advantage"] for c in group]
            assert sum(advantages) == pytest.approx(0, abs=1e-5)
            assert sum(a * a for a in advantages) / 4 == pytest.approx(1, rel=1e-4)  # the population's variance
        assert 0 < row["entropy"] <= math.log(1024) + 1e-4
        assert row["sampler_gap"] < 1e-4
        assert row["ratio"] == pytest.approx(1, abs=1e-4)
        assert row["clip_share"] == 0


def test_the_first_step_is_at_the_reference(tmp_path: Path):
    """And at later ones the policy has left it."""
    for place in ("reward", "loss"):
        _, rows, _ = train(tmp_path / place, kl={"place": place, "beta": 0.01}, optim=SMALL["optim"] | {"lr": 1e-2})
        assert rows[0]["kl"] == pytest.approx(0, abs=1e-6)
        assert rows[1]["kl"] > 1e-4
    _, rows, _ = train(tmp_path / "none")
    assert rows[1]["kl"] == 0


def test_kl_in_the_reward_is_subtracted_after_the_outcome(tmp_path: Path):
    """The logged reward is without KL; the advantage is that of R - beta KL."""
    _, _, rollouts = train(tmp_path, kl={"place": "reward", "beta": 50.0}, steps=2, logged_groups=4)
    for group in (g["completions"] for g in rollouts if g["step"] == 1):
        if len({c["reward"] for c in group}) > 1:
            assert all(c["kl"] != 0 for c in group)
            total = [c["reward"] - 50 * c["kl"] for c in group]
            expected = [(r - fmean(total)) / pstdev(total) for r in total]
            assert [c["advantage"] for c in group] == pytest.approx(expected, rel=1e-3)


def test_a_strong_kl_holds_the_policy_back(tmp_path: Path):
    """In the reward and in the loss: after some steps it is nearer to the reference than without."""
    common = {"steps": 12, "optim": SMALL["optim"] | {"lr": 1e-2}}
    free = train(tmp_path / "free", kl={"place": "loss", "beta": 1e-9}, **common)[1][-1]["kl"]
    assert train(tmp_path / "loss", kl={"place": "loss", "beta": 10.0}, **common)[1][-1]["kl"] < free / 2
    held = {"place": "reward", "beta": 10.0, "estimator": "k2"}
    assert train(tmp_path / "reward", kl=held, **common)[1][-1]["kl"] < free / 2


@pytest.mark.parametrize(("place", "copies"), [("none", 0), ("reward", 1), ("loss", 1)])
def test_a_reference_is_kept_only_where_kl_needs_one(tmp_path: Path, monkeypatch, place: str, copies: int):
    made = []
    monkeypatch.setattr(grpo, "copy", SimpleNamespace(deepcopy=lambda m: made.append(1) or fresh_model()))
    train(tmp_path, steps=1, kl={"place": place})
    assert len(made) == copies


def test_groups_without_variance_are_dropped_and_counted(tmp_path: Path):
    def first_problem_only(problem: Problem, completion: Completion) -> Reward:
        return low_ids(problem, completion) if problem.id == "toy/0" else hopeless(problem, completion)

    _, rows, _ = train(tmp_path, first_problem_only, problems_per_step=8)
    assert [row["zero_variance_groups"] for row in rows] == [7, 7]
    assert [row["tokens"] for row in rows] == [24, 24]  # 4 completions of 6 tokens


@pytest.mark.parametrize("updates", [1, 2])
def test_a_step_without_signal_leaves_the_weights(tmp_path: Path, updates: int):
    got, rows, rollouts = train(tmp_path, hopeless, updates_per_rollout=updates, kl={"place": "reward"})
    assert same_weights(got, weights(fresh_model()))
    assert [row["zero_variance"] for row in rows] == [1, 1]
    assert all(row.keys() == KEYS for row in rows)
    assert rows[0]["kl"] is None
    assert all(c["advantage"] == 0 for g in rollouts for c in g["completions"])


def test_truncated_completions_can_be_left_out(tmp_path: Path):
    """Of a model from nothing hardly any completion of six tokens ends by itself."""
    trained, rows, _ = train(tmp_path / "wrong")
    assert rows[0]["truncated"] > 0.9
    masked, rows, _ = train(tmp_path / "mask", truncated="mask", problems_per_step=1, group_size=2)
    assert all(row["truncated"] == 1 for row in rows)  # else choose another seed
    assert [row["tokens"] for row in rows] == [0, 0]
    assert same_weights(masked, weights(fresh_model()))
    assert not same_weights(trained, masked)


def test_several_updates_go_further_and_leave_the_ratio_of_one(tmp_path: Path):
    once, rows, _ = train(tmp_path / "one", steps=1)
    thrice, more, _ = train(tmp_path / "three", steps=1, updates_per_rollout=3)
    assert rows[0]["reward"] == more[0]["reward"]
    assert rows[0]["loss"] == pytest.approx(more[0]["loss"], abs=1e-5)  # the first update's
    assert abs(more[0]["ratio"] - 1) > abs(rows[0]["ratio"] - 1)
    assert not same_weights(once, thrice)


def test_dynamic_sampling_draws_until_the_step_is_full():
    chat, model = toy_chat(), fresh_model()

    def some(problem: Problem, completion: Completion) -> Reward:
        return low_ids(problem, completion) if int(problem.id[-1]) % 2 else hopeless(problem, completion)

    def drawn(score, **loss) -> int:
        settings = settings_of(loss={"variant": "dapo"} | loss, dynamic_sampling_rounds=5)
        groups, _ = rollout(NativeSampler(model, chat), chat, SUMS, score, settings, 0, 0)
        return len(groups)

    assert drawn(low_ids) == 4
    assert drawn(some) == 8  # two permutation halves hold four odd problems
    assert drawn(hopeless) == 20  # five rounds, then it goes on with what it has
    assert drawn(hopeless, dynamic_sampling=False) == 4


def test_a_problem_met_again_is_answered_anew():
    """In another round of dynamic sampling, at the seam of two permutations, and in another step."""
    chat, model = toy_chat(), fresh_model()
    settings = settings_of(loss={"variant": "dapo"}, dynamic_sampling_rounds=3)
    groups, _ = rollout(NativeSampler(model, chat), chat, SUMS[:3], hopeless, settings, 0, 0)
    assert len(groups) == 12
    answers = [tuple(r.completion.token_ids) for g in groups for r in g.rollouts]
    assert len(set(answers)) == len(answers)
    assert keys_of([SUMS[0], SUMS[1], SUMS[0], SUMS[0]]) == ["toy/0", "toy/1", "toy/0#1", "toy/0#2"]


def test_problems_are_drawn_evenly():
    drawn = [p.id for step in range(6) for p in problems_of(SUMS, step, 4, seed=1)]
    assert sorted(drawn[:8]) == sorted(drawn[8:16]) == sorted(p.id for p in SUMS)
    assert drawn[:8] != drawn[8:16]
    assert [p.id for p in problems_of(SUMS, 3, 4, seed=1)] == drawn[12:16]


def test_evaluation_during_training(tmp_path: Path):
    calls = []
    settings = settings_of(steps=5, eval_every=2)
    train_grpo(
        fresh_model(), toy_chat(), SUMS, low_ids, settings, seed=0, folder=tmp_path,
        evaluate=lambda: calls.append(1) or 0.25,
    )  # fmt: skip
    rows = read_jsonl(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows if "eval/accuracy" in row] == [1, 3]
    assert len(calls) == 2


def test_every_variant_is_a_set_of_settings():
    assert LossSettings.model_validate({"variant": "dapo"}).epsilon_high == 0.28
    assert LossSettings.model_validate({"variant": "dapo", "epsilon_high": 0.3}).epsilon_high == 0.3
    assert LossSettings.model_validate({"variant": "article"}).ratio == "sequence"
