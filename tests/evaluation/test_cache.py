"""Answers are kept by what decides them; a process that was killed is gone on with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from commands import command
from places import ROOT
from reasonwright.cli import main
from reasonwright.evaluation.cache import Answers, key_of
from reasonwright.evaluation.evaluate import Asking
from reasonwright.models.resolve import model_folder
from reasonwright.models.settings import LoadOptions
from reasonwright.runlog import read_json, read_jsonl
from reasonwright.types import Problem
from toy import SUMS

TINY = model_folder("embedded:tiny")
ASKING = Asking(max_tokens=8)
PLAIN = LoadOptions()


def test_the_key_names_everything_that_decides_the_answers(tmp_path: Path):
    copy = tmp_path / "model"
    shutil.copytree(TINY, copy)
    key = key_of(copy, SUMS, ASKING, PLAIN)
    assert key == key_of(TINY, SUMS, Asking(max_tokens=8), PLAIN)  # wherever the folder lies
    (copy / "README.md").write_text("another card")
    (copy / "metrics.jsonl").write_text("")
    assert key == key_of(copy, SUMS, ASKING, PLAIN)
    assert key == key_of(copy, SUMS, ASKING, LoadOptions(device="cuda"))
    others = {
        key_of(copy, SUMS, ASKING, LoadOptions(compute="bfloat16")),
        key_of(copy, SUMS[1:], ASKING, PLAIN),
        key_of(copy, SUMS[::-1], ASKING, PLAIN),
        key_of(copy, [replace(SUMS[0], answer="6"), *SUMS[1:]], ASKING, PLAIN),
        *(
            key_of(copy, SUMS, replace(ASKING, **change), PLAIN)
            for change in (
                {"max_tokens": 9}, {"mode": "cot"}, {"samples": 2}, {"temperature": 1.0}, {"top_p": 0.9}, {"seed": 1},
                {"shots": [("q", "s", "1")]},
            )
        ),
    }  # fmt: skip
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    others.add(key_of(copy, SUMS, ASKING, PLAIN))
    (copy / "chat_template.jinja").write_text("{{ messages }}")
    others.add(key_of(copy, SUMS, ASKING, PLAIN))
    (copy / "own_model.py").write_text("")
    others |= {key_of(copy, SUMS, ASKING, PLAIN), key_of(copy, SUMS, ASKING, LoadOptions(trust_remote_code=True))}
    (copy / "own_model.py").write_text("pass")
    others.add(key_of(copy, SUMS, ASKING, LoadOptions(trust_remote_code=True)))
    assert len(others | {key}) == 17


def test_what_is_there_is_not_asked_again(tmp_path: Path):
    problems = [Problem(f"t/{i}", str(i), "1") for i in range(10)]
    asked: list[list[str]] = []

    def answer(part):
        asked.append([p.id for p in part])
        if len(asked) == 3:
            raise KeyboardInterrupt
        return [{"id": p.id, "sample": s} for p in part for s in range(100)]

    kept = Answers(tmp_path / "k", problems, Asking(max_tokens=8, samples=100, temperature=1.0))
    with pytest.raises(KeyboardInterrupt):
        kept.add(answer)
    assert kept.missing_problems() == 6
    kept.add(answer)
    assert asked == [["t/0", "t/1"], ["t/2", "t/3"], ["t/4", "t/5"], ["t/4", "t/5"], ["t/6", "t/7"], ["t/8", "t/9"]]
    rows, seconds = kept.read()
    assert [(r["id"], r["sample"]) for r in rows] == [(p.id, s) for p in problems for s in range(100)]
    assert seconds > 0
    assert kept.missing() == []


def test_killed_and_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The answers are those of an evaluation that was not killed, and the first chunk is not asked again."""
    arguments = ["evaluate", "embedded:tiny", "--task", "word_problems", "--problems", "300", "--max-tokens", "32"]
    arguments += ["--mode", "cot", "--device", "cpu"]
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        command(*arguments), cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ | {"REASONWRIGHT_CACHE": str(killed)}
    )
    try:
        while not (chunks := list(killed.rglob("*.json"))):
            assert process.poll() is None
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(list(killed.rglob("*.json"))) == 1
    first = chunks[0].read_bytes()
    monkeypatch.setenv("REASONWRIGHT_CACHE", str(killed))
    main([*arguments, "--out", str(tmp_path / "a")])
    assert "embedded:tiny: 256/300 from" in capsys.readouterr().out
    assert chunks[0].read_bytes() == first
    monkeypatch.setenv("REASONWRIGHT_CACHE", str(tmp_path / "whole"))
    main([*arguments, "--out", str(tmp_path / "b")])
    one, other = (read_jsonl(tmp_path / n / "0-embedded-tiny.jsonl") for n in ("a", "b"))
    assert len(one) == 300
    assert one == other


def test_the_second_call_is_instant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """It imports neither torch nor transformers, and says the same."""
    arguments = ["evaluate", "embedded:tiny", "embedded:tiny", "--task", "svamp:PATH", "--max-tokens", "4"]
    arguments += ["--samples", "4", "--device", "cpu"]
    (tmp_path / "p.json").write_text(
        "["
        + ",".join(
            f'{{"ID": "x-{i}", "Body": "There are {i} apples", "Question": "how many?", "Equation": "( {i} + 0 )", '
            f'"Answer": {i}.0, "Type": "Addition"}}'
            for i in range(5)
        )
        + "]"
    )
    arguments[arguments.index("svamp:PATH")] = f"svamp:{tmp_path / 'p.json'}"
    monkeypatch.setenv("REASONWRIGHT_CACHE", str(tmp_path / "cache"))
    main([*arguments, "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    code = (
        "import sys, reasonwright.cli\nreasonwright.cli.main(sys.argv[1:])\n"
        "print(*sorted({'torch', 'transformers'} & set(sys.modules)), file=sys.stderr)"
    )
    again = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert (again.returncode, again.stderr.strip()) == (0, "")
    assert again.stdout.count("5/5 from") == 4
    title = "chat, greedy; 95 %"
    assert again.stdout[again.stdout.index(title) :] == said[said.index(title) :]
    pair = read_json(tmp_path / "out" / "comparisons.json")[0]
    assert {c["difference"] for c in [*pair["greedy"].values(), *pair["sampled"].values()]} == {0.0}
    assert len(read_jsonl(tmp_path / "out" / "1-embedded-tiny.sampled.jsonl")) == 20
