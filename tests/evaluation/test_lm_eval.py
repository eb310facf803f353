"""The second opinion: why two verdicts differ, and a real call of lm-evaluation-harness where it is installed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

from commands import call, command
from places import ROOT
from reasonwright.cli import main
from reasonwright.evaluation.lm_eval import explain
from reasonwright.models.load import save_model
from reasonwright.runlog import read_json, read_jsonl
from reasonwright.training.settings import OptimSettings, SFTSettings
from reasonwright.training.sft import train_sft
from toy import SUMS, fresh_model, toy_chat

HARNESS = importlib.util.find_spec("lm_eval") is not None
needs_harness = pytest.mark.skipif(not HARNESS, reason="LM-EVAL NOT TESTED: pip install 'reasonwright[eval]'")


def ours(text: str, strict: bool) -> dict:
    return {"id": "t/1", "text": text, "strict": strict, "lenient": strict, "extracted": "7", "gold": "7"}


def theirs(text: str, strict: bool, ids: tuple[int, ...] = (1, 2, 3)) -> dict:
    return {
        "text": text, "strict": strict, "lenient": True, "strict extracted": "[invalid]", "lenient extracted": "7",
        "prompt_ids": list(ids), "our_prompt_ids": [1, 2, 3], "special": ["<end>"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("other", "why", "detail"),
    [
        (theirs("The answer is 7.", False, (0, 1, 2, 3)), "prompt", "3 tokens here, 4 there: at 0"),
        (theirs("The answer is 7.", False, (2, 3)), "truncation", "kept the last 2 of 3 prompt tokens"),
        (theirs("The answer is", False), "truncation", "13 characters here, 11 there"),
        (theirs("The answer was 7.", False), "decoding", "at 9"),
        (theirs(" The answer is 7. ", False), "extraction", "read as '7' here, '[invalid]' there; right is '7'"),
    ],
)
def test_the_reason_is_the_first_thing_that_differs(other: dict, why: str, detail: str):
    result = explain([ours("The answer is 7.<end>", True)], [other])
    assert result["agree"] == {"strict": 0, "lenient": 1}
    assert (result["ours"]["strict"], result["lm_eval"]["strict"]) == (1, 0)
    (difference,) = result["differ"]
    assert (difference["id"], difference["form"], difference["why"]) == ("t/1", "strict", why)
    assert detail in difference["detail"]


def test_a_right_answer_outside_the_form_is_said_to_be_one():
    row = ours("The answer is 7.", False) | {"lenient": True}
    (difference,) = explain([row], [theirs("The answer is 7.", True)])["differ"]
    assert (difference["why"], difference["ours"], difference["lm_eval"]) == ("extraction", False, True)
    assert difference["detail"] == "'7' is right, but here the whole form is asked for as well"


@pytest.mark.skipif(HARNESS, reason="lm-eval is installed")
def test_without_the_harness_it_is_refused_at_once(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    with pytest.raises(SystemExit):
        main(["evaluate", "embedded:tiny", "--task", "word_problems", "--via-lm-eval", "--out", str(tmp_path / "o")])
    assert "pip install 'reasonwright[eval]'" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows eight sums by heart, and writes one answer that two extractors read differently."""
    place = tmp_path_factory.mktemp("learned")
    model, chat = fresh_model(), toy_chat()
    settings = SFTSettings(epochs=140, batch_size=8, optim=OptimSettings(lr=1e-2))
    train_sft(model, chat, SUMS, settings, seed=0, folder=place / "log")
    save_model(place / "model", model, chat.tokenizer, chat.stop_ids, "")
    rows = [{"question": p.question, "answer": f"{p.solution}\n#### {p.answer}"} for p in SUMS]
    rows += [{"question": f"What is {a} + 2?", "answer": f"#### {a + 2}"} for a in (1, 6, 9, 30)]
    (place / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows).replace('"####', '"So:\\n####'))
    return place


@pytest.mark.slow
@needs_harness
def test_the_harness_agrees_on_what_was_learned(learned: Path):
    out = learned / "out"
    done = call("evaluate", learned / "model", "--task", f"gsm8k:{learned / 'test.jsonl'}", "--max-tokens", "40",
                "--via-lm-eval", "--out", out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = read_json(out / "0-model.lm-eval.json")
    rows = read_jsonl(out / "0-model.jsonl")
    assert result["n"] == 12
    assert sum(r["strict"] for r in rows[:8]) == 8  # learned
    assert result["ours"] == {form: sum(r[form] for r in rows) for form in ("strict", "lenient")}
    assert result["agree"] == {"strict": 12, "lenient": 12}, result["differ"]
    assert result["lm_eval"] == result["ours"]


@pytest.mark.slow
@needs_harness
def test_real_gsm8k_cut_short_is_explained(learned: Path, shared_data: Path):
    """Sixty tokens an answer of a model that knows nothing of it: no difference stays without a reason."""
    out = learned / "cut"
    done = subprocess.run(
        command("evaluate", learned / "model", "--task", f"gsm8k:{shared_data / 'gsm8k'}", "--problems", 40,
                "--max-tokens", 60, "--via-lm-eval", "--out", out),
        capture_output=True, text=True, cwd=ROOT, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = read_json(out / "0-model.lm-eval.json")
    assert result["n"] == 40
    assert result["agree"]["strict"] + sum(d["form"] == "strict" for d in result["differ"]) == 40
    assert all(d["why"] in ("extraction", "decoding", "truncation") for d in result["differ"])  # prompts are the same
