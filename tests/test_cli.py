"""The command line: quick to answer, and mistakes are one sentence."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import SMOKE, arguments, call
from reasonwright import __version__
from reasonwright.cli import main
from reasonwright.tasks import TASKS
from toy import write_task

COMMANDS = (
    "run", "check", "reproduce", "sft", "grpo", "sample", "distill", "ablate", "evaluate", "report", "compare", "chat",
    "tasks",
)  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """What the command says on stderr where it ends with status 2."""
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in argv])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def test_help_is_quick_and_names_every_command():
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        done = call("--help")
        seconds.append(time.perf_counter() - began)
    assert done.returncode == 0
    assert min(seconds) < 1.0
    for name in COMMANDS:
        assert re.search(rf"\n    {name}\s", done.stdout)


def test_help_imports_nothing_heavy():
    code = (
        "import sys, contextlib, io, reasonwright.cli\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    reasonwright.cli.main(['--help'])\n"
        "print(*sorted({'torch', 'transformers', 'pydantic', 'rich', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert name in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\ngrpo: {group_sise: 8}", "the nearest known key is grpo.group_size"),
        ("name: x\nsft: {optim: {lr: fast}}", "sft.optim.lr"),
        ("name: x\ngrpo: {kl: {place: loss, beta: 0}}", "kl.beta is 0"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_bad_recipe_is_one_line_and_status_2(tmp_path: Path, text: str, words: str):
    (tmp_path / "r.yaml").write_text(text)
    began = time.perf_counter()
    done = call("run", tmp_path / "r.yaml", "--out", tmp_path / "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert not (tmp_path / "run").exists()
    assert time.perf_counter() - began < 3  # torch alone takes longer


def test_a_bad_override(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert "nearest known key is grpo.steps" in refused(capsys, "run", SMOKE, "--grpo.step", "3", "--out", tmp_path)
    assert "cannot be read" in refused(capsys, "run", tmp_path / "no.yaml")


def test_arguments_that_no_command_knows(capsys: pytest.CaptureFixture[str]):
    assert "unknown arguments: --grpo.steps 3" in refused(capsys, "tasks", "--grpo.steps", "3")
    assert "invalid choice" in refused(capsys, "fly")
    assert "COMMAND" in refused(capsys)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "no-such-org/no-such-model"}, "model 'no-such-org/no-such-model' is not in the local cache"),
        ({"student": "no-such-org/no-such-model"}, "no-such-org/no-such-model"),
        ({"model": "/no/such/folder"}, "no such folder"),
        ({"student": "embedded:huge"}, "no embedded model 'huge'"),
        ({"task": "jsonl:/no/such/file"}, "/no/such/file"),
        ({"task": "gsm9k"}, "nearest is 'gsm8k'"),
        ({"evaluate.also": "[svamp]"}, "svamp:PATH"),
        ({"grpo.reward.functions": "{'no_such:f': 1.0}"}, "cannot be imported"),
        ({"task": "word_problems"}, "sft.rows is null"),
    ],
)
def test_what_cannot_work_is_refused_before_any_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], words: str
):
    """And leaves no folder behind, so that the mended recipe does not count as another one."""
    said = refused(capsys, "run", *arguments(tmp_path, tmp_path / "run", **change))
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_an_unreachable_hub_is_said_at_once(tmp_path: Path):
    """On a network without the hub, not only where HF_HUB_OFFLINE says so."""
    began = time.perf_counter()
    place = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}
    done = call("run", *arguments(tmp_path, tmp_path / "run", model="no-such-org/none"), **place)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "the hub cannot be reached" in done.stderr
    assert time.perf_counter() - began < 60


@pytest.mark.parametrize("place", ["a file/run", "/proc/nothing/run"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str):
    (tmp_path / "a file").write_text("")
    said = refused(capsys, "run", *arguments(tmp_path, tmp_path / place))
    assert said.count("\n") == 1
    assert "cannot be written" in said


def test_a_stage_without_the_one_before_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "run"
    assert "run the sft stage first" in refused(capsys, "grpo", *arguments(tmp_path, out))
    assert "run the grpo stage first" in refused(capsys, "sample", *arguments(tmp_path, out))
    assert "run `reasonwright sample` first" in refused(capsys, "distill", *arguments(tmp_path, out))
    assert "no such folder" in refused(capsys, "grpo", *arguments(tmp_path, out), "--from", "nowhere")


def test_a_report_of_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert refused(capsys, "report", tmp_path / "nothing").count("\n") == 1


def test_tasks(capsys: pytest.CaptureFixture[str]):
    main(["tasks"])
    said = capsys.readouterr().out
    for name, info in TASKS.items():
        assert f"\n{name}{info.argument}  " in "\n" + said
    assert said.count("answer: ") >= 2
    assert "dollars" in said or "=" in said  # a worked solution


def test_evaluate_several_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    task = f"jsonl:{write_task(tmp_path / 'sums')}"
    common = ["--task", task, "--max-tokens", "6", "--device", "cpu"]
    main(["evaluate", "embedded:tiny", "embedded:tiny", *common, "--out", str(tmp_path / "out"), "--problems", "3"])
    assert capsys.readouterr().out.count("embedded:tiny: 3/3") == 2
    files = sorted(p.name for p in (tmp_path / "out").iterdir())
    each = [f"{i}-embedded-tiny{suffix}" for i in (0, 1) for suffix in (".json", ".jsonl")]
    assert files == [*each, "comparisons.json"]
    one, other = ((tmp_path / "out" / f"{i}-embedded-tiny.jsonl").read_text() for i in (0, 1))
    assert one == other
    assert one.count("\n") == 3
    main(["evaluate", "embedded:tiny", *common, "--problems", "3"])
    assert "embedded:tiny: 3/3 from" in capsys.readouterr().out
    main(["evaluate", "embedded:tiny", *common, "--problems", "3", "--fresh"])
    assert "embedded:tiny: 3/3 in" in capsys.readouterr().out
    main(["evaluate", "embedded:tiny", *common, "--mode", "cot", "--shots", "2"])
    assert "there is no task" in refused(capsys, "evaluate", "embedded:tiny", "--task", "nothing")
    assert "no such folder" in refused(capsys, "evaluate", "nowhere", *common)
    few = refused(capsys, "evaluate", "embedded:tiny", *common, "--mode", "cot", "--shots", "9")
    assert "has only 8 worked solutions for 9 shots" in few
