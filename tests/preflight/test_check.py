"""The pre-flight on models that were really trained, each finding provoked by what causes it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from commands import arguments
from reasonwright.chat import ChatFormat
from reasonwright.cli import main
from reasonwright.models.load import EMBEDDED, load_model, load_tokenizer
from reasonwright.preflight.findings import sample_findings
from reasonwright.preflight.sample import sample_figures, sample_groups, sampler_gap
from reasonwright.runlog import read_json, read_jsonl
from reasonwright.training.settings import GRPOSettings
from reasonwright.verify.rewards import RewardScorer
from toy import PAIRS, SUMS

SETTINGS = GRPOSettings.model_validate({"group_size": 4, "max_tokens": 40, "temperature": 1.6})
CHECKS = ["chat template", "overlap", "truncated", "end of turn", "gradient", "form", "sampler = trainer"]


@pytest.fixture(scope="module")
def tmp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("preflight")


@pytest.fixture(scope="module")
def sft(tmp: Path) -> str:
    """A model that knows eight sums by heart, and its recipe's task."""
    main(["sft", *arguments(tmp, tmp / "run")])
    return str(tmp / "run" / "sft")


def check(tmp: Path, start: str | None, out: str, status: int = 0, **changes: str) -> dict[str, dict]:
    """check.json's findings by name, after `reasonwright check` has ended with `status`."""
    argv = ["check", *arguments(tmp, tmp / out, **changes), *(["--from", start] if start else [])]
    if status:
        with pytest.raises(SystemExit) as caught:
            main(argv)
        assert caught.value.code == status
    else:
        main(argv)
    return {finding["check"]: finding for finding in read_json(tmp / out / "check.json")["findings"]}


def levels(found: dict[str, dict]) -> dict[str, str]:
    return {name: f["level"] for name, f in found.items() if f["level"] != "good"}


def test_a_run_that_can_learn(tmp: Path, sft: str, capsys: pytest.CaptureFixture[str]):
    """Of the run's own sft model, without --from; the recipe can still be another one afterwards."""
    found = check(tmp, None, "run")
    assert list(found) == CHECKS
    assert levels(found) == {}
    said = capsys.readouterr().out
    assert f"Pre-flight of GRPO from {sft}" in said
    saved = read_json(tmp / "run" / "check.json")
    assert saved["model"] == sft
    assert (saved["doomed"], saved["forced"]) == (False, False)
    figures = saved["figures"]
    assert (figures["groups"], figures["completions"]) == (32, 128)
    assert sum(figures["pass_rates"].values()) == 32
    assert 0 < figures["accuracy"] < 1
    assert figures["ends"] == 1 - figures["truncated"]
    assert figures["sampler_gap"] < 1e-4
    assert figures["overlap"]["trained"] == 8


def test_too_few_tokens(tmp: Path, sft: str, capsys: pytest.CaptureFixture[str]):
    found = check(tmp, sft, "short", 2, **{"grpo.max_tokens": "3"})
    assert levels(found) == {"truncated": "doomed", "end of turn": "doomed", "gradient": "doomed"}
    assert found["truncated"]["seen"].startswith("100% cut at 3 tokens")
    assert found["truncated"]["mend"] == "raise grpo.max_tokens (now 3)"
    error = capsys.readouterr().err
    assert error.startswith("error: doomed, so not started: 100% cut at 3 tokens")
    assert "--force" in error
    assert error.count("\n") == 1


def test_all_is_right_already(tmp: Path, sft: str):
    found = check(tmp, sft, "known", 2, **{"grpo.temperature": "0.5"})
    assert levels(found) == {"gradient": "doomed"}
    assert "0 of 32 groups carry signal" in found["gradient"]["seen"]
    assert "harder problems" in found["gradient"]["mend"]


def test_each_problem_is_always_right_or_always_wrong(tmp: Path, sft: str):
    """Half of the gold answers are off by one."""
    rows = [{"question": p.question, "answer": str(int(p.answer) + i % 2)} for i, p in enumerate(SUMS)]
    found = check(tmp, sft, "half", 2, task=write(tmp / "half-task", rl=rows), **{"grpo.temperature": "0.5"})
    assert levels(found) == {"gradient": "doomed"}
    assert "raise grpo.temperature" in found["gradient"]["mend"]


def test_nothing_is_right(tmp: Path, sft: str):
    """The gold answers are off by one."""
    rows = [{"question": p.question, "answer": str(int(p.answer) + 1), "solution": "none"} for p in SUMS]
    found = check(tmp, sft, "wrong", 2, task=write(tmp / "wrong-task", rl=rows), **{"grpo.temperature": "0.5"})
    assert levels(found) == {"gradient": "doomed"}
    assert "easier problems" in found["gradient"]["mend"]
    assert found["form"]["seen"].endswith("wrong for its maths")


def test_the_form_is_missing(tmp: Path):
    """A model that was taught answers without a thought: right in any form, never strictly."""
    rows = [{"prompt": f"What is {a} + {b}?", "completion": f"{a} + {b} = {a + b}."} for a, b in PAIRS]
    problems = [{"question": p.question, "answer": p.answer} for p in SUMS]
    task = write(tmp / "formless-task", sft=rows, rl=problems)
    main(["sft", *arguments(tmp, tmp / "formless", task=task)])
    found = check(tmp, None, "formless", 2, task=task)
    assert levels(found) == {"gradient": "doomed", "form": "bad"}
    assert "lack the form" in found["gradient"]["mend"]


def test_evaluation_questions_in_training(tmp: Path, sft: str, capsys: pytest.CaptureFixture[str]):
    rows = [{"question": p.question, "answer": p.answer, "solution": p.solution} for p in SUMS]
    planted = write(tmp / "planted", train=rows, test=[{"question": "what is  2 + 3", "answer": "5"}, rows[4]])
    found = check(tmp, sft, "overlap", task=planted)
    assert levels(found) == {"overlap": "bad"}
    assert "2 of 8 evaluation questions are in training (2 exactly, 0 nearly)" in found["overlap"]["seen"]
    assert "'what is 2 + 3'" in found["overlap"]["mend"]
    capsys.readouterr()
    with pytest.raises(SystemExit):  # `run` says it before anything is trained; here its model is then refused
        main(["run", *arguments(tmp, tmp / "overlap-run", task=planted, model=broken_template(tmp))])
    assert "2 of 8 evaluation questions" in capsys.readouterr().out
    assert not (tmp / "overlap-run").exists()


def broken_template(tmp: Path) -> str:
    """The embedded model with a template that drops the end of the turn."""
    folder = tmp / "no-end"
    if not folder.exists():
        shutil.copytree(EMBEDDED["tiny"], folder)
        template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
        (folder / "chat_template.jinja").write_text(template)
    return str(folder)


def test_a_template_without_an_end_is_refused_before_anything_is_written(tmp: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["run", *arguments(tmp, tmp / "template", model=broken_template(tmp))])
    assert caught.value.code == 2
    assert "no end of turn behind an answer" in capsys.readouterr().err
    assert not (tmp / "template").exists()
    assert levels(check(tmp, broken_template(tmp), "template", 2))["chat template"] == "doomed"


def test_the_base_before_sft_dooms_nothing(tmp: Path):
    """What its sample shows, SFT is there to mend."""
    found = check(tmp, None, "base", **{"grpo.max_tokens": "4"})
    assert levels(found) == {"truncated": "bad", "end of turn": "bad", "gradient": "bad"}
    assert read_json(tmp / "base" / "check.json")["before_sft"]
    assert not (tmp / "base" / "recipe.yaml").exists()


def test_grpo_is_refused_and_can_be_forced(tmp: Path, sft: str, capsys: pytest.CaptureFixture[str]):
    short = arguments(tmp, tmp / "forced", **{"grpo.max_tokens": "6", "grpo.steps": "1"})
    with pytest.raises(SystemExit) as caught:
        main(["grpo", *short, "--from", sft])
    assert caught.value.code == 2
    assert not (tmp / "forced" / "grpo").exists()
    assert read_json(tmp / "forced" / "check.json")["doomed"]
    main(["grpo", *short, "--from", sft, "--force"])
    assert len(read_jsonl(tmp / "forced" / "grpo" / "metrics.jsonl")) == 1
    told = (tmp / "forced" / "check.json").read_bytes()
    assert json.loads(told)["forced"]
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["check", *short, "--from", sft])  # looks again, but the record is that of the GRPO that was begun
    assert (tmp / "forced" / "check.json").read_bytes() == told


def test_another_trainer_than_the_sampler(sft: str):
    """Log-probabilities at another temperature, and of weights that moved since."""
    model, chat = load_model(sft), ChatFormat(load_tokenizer(sft))
    score = RewardScorer(**SETTINGS.reward.model_dump(), max_tokens=40)
    groups = sample_groups(model, chat, SUMS, score, SETTINGS, seed=1)
    figures = sample_figures(groups, chat.stop_ids)

    def level(gap: float) -> str:
        return sample_findings(figures | {"sampler_gap": gap}, SETTINGS)[-1].level

    assert level(sampler_gap(model, groups, SETTINGS)) == "good"
    colder = sampler_gap(model, groups, SETTINGS.model_copy(update={"temperature": 1.0}))
    assert level(colder) == "doomed"
    model.get_input_embeddings().weight.data *= 1.001
    assert level(sampler_gap(model, groups, SETTINGS)) in ("bad", "doomed")
    assert level(float("nan")) == "doomed"


def test_what_rounding_explains_depends_on_the_type(sft: str):
    """The figure is the mean in bfloat16, and what is too much in float32 is not there."""
    model, chat = load_model(sft, compute="bfloat16"), ChatFormat(load_tokenizer(sft))
    score = RewardScorer(**SETTINGS.reward.model_dump(), max_tokens=40)
    groups = sample_groups(model, chat, SUMS, score, SETTINGS, seed=1)
    figures = sample_figures(groups, chat.stop_ids) | {"sampler_gap": sampler_gap(model, groups, SETTINGS)}
    assert 1e-5 < figures["sampler_gap"] < 0.005
    finding = sample_findings(figures, SETTINGS, "bfloat16")[-1]
    assert (finding.level, "in the mean" in finding.seen) == ("good", True)
    for gap, levels_ in ((0.005, ("good", "bad")), (0.03, ("bad", "doomed")), (0.06, ("doomed", "doomed"))):
        found = [
            sample_findings(figures | {"sampler_gap": gap}, SETTINGS, c)[-1].level for c in ("bfloat16", "float32")
        ]
        assert tuple(found) == levels_


def test_the_figures_of_a_sample(sft: str):
    """Against counting the completions by hand; cut ones that had answered are told apart."""
    model, chat = load_model(sft), ChatFormat(load_tokenizer(sft))
    score = RewardScorer(**SETTINGS.reward.model_dump(), max_tokens=40)
    groups = sample_groups(model, chat, SUMS, score, SETTINGS, seed=2)
    figures = sample_figures(groups, chat.stop_ids)
    rates = [sum(r.reward.verdict.strict for r in g.rollouts) for g in groups]
    names = {0: "0", 1: "to 1/4", 2: "to 1/2", 3: "to 3/4", 4: "1"}
    assert figures["pass_rates"] == {"below 1": 0} | {name: rates.count(n) for n, name in names.items()}
    assert figures["accuracy"] == sum(rates) / 128
    assert figures["zero_variance"] == sum(rate in (0, 4) for rate in rates) / 32
    for group in groups:
        for r in group.rollouts:
            r.completion = replace(r.completion, token_ids=r.completion.token_ids[:-1], finish_reason="length")
    cut = sample_figures(groups, chat.stop_ids)
    assert (cut["truncated"], cut["ends"]) == (1, 0)
    assert cut["ran_on"] == sum(r.reward.verdict.extracted is not None for g in groups for r in g.rollouts) / 128
    first = sample_findings(cut | {"sampler_gap": 0.0}, SETTINGS)[0]
    assert (first.level, first.mend) == ("doomed", "teach the model to stop: more SFT, before GRPO is tried")


def write(folder: Path, **files: list[dict]) -> str:
    """A task of the given files; test.jsonl is that of the sums where none is given."""
    files = {"sft": files.get("rl", []), "test": [{"question": "What is 1 + 2?", "answer": "3"}]} | files
    folder.mkdir(exist_ok=True)
    for name, rows in files.items():
        if rows:
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"jsonl:{folder}"
