"""Models that bring code, and a machine without a network."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import toy_tokenizers
from commands import arguments, command
from places import ROOT
from reasonwright.chat import ChatFormat
from reasonwright.cli import main
from reasonwright.models.load import load_model, load_tokenizer, save_model
from reasonwright.planner.memory import check_fits
from reasonwright.planner.stages import works_of
from reasonwright.recipe import load_recipe
from reasonwright.types import UserError
from toy_models import toy_model


class Payload:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self) -> tuple:
        return Path.touch, (self.trace,)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chat = ChatFormat(toy_tokenizers.chatml_tags())
    save_model(tmp_path / "model", toy_model("qwen3"), chat.tokenizer, chat.stop_ids, "")
    return tmp_path / "model"


PICKLES = ["pytorch_model.bin", "model.pt", "pytorch_model-00001-of-00001.bin", "training_args.bin", "optimizer.pt"]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_is_never_opened(folder: Path, trace: Path, name: str, beside: bool) -> None:
    """In place of the safetensors file it is refused, beside it left alone."""
    (folder / name).write_bytes(pickle.dumps({"model.embed_tokens.weight": Payload(trace)}))
    if "-of-" in name:
        index = {"metadata": {}, "weight_map": {"model.embed_tokens.weight": name}}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    if beside:
        load_model(str(folder))
        load_tokenizer(str(folder))
    else:
        (folder / "model.safetensors").unlink()
        with pytest.raises(UserError, match="safetensors"):
            load_model(str(folder))
    assert not trace.exists()
    pickle.loads((folder / name).read_bytes())
    assert trace.exists()  # the payload would have worked


@pytest.fixture
def with_code(folder: Path, trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose architecture is in its folder, and leaves a trace when it is imported."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("sys.path", list(sys.path))
    (folder / "own_model.py").write_text(
        f"open({str(trace)!r}, 'w').close()\n"
        "from transformers import Qwen3Config, Qwen3ForCausalLM\n"
        "class OwnConfig(Qwen3Config):\n    model_type = 'own'\n"
        "class OwnModel(Qwen3ForCausalLM):\n    config_class = OwnConfig\n"
    )
    config = json.loads((folder / "config.json").read_text())
    auto_map = {"AutoConfig": "own_model.OwnConfig", "AutoModelForCausalLM": "own_model.OwnModel"}
    (folder / "config.json").write_text(
        json.dumps(config | {"model_type": "own", "architectures": ["OwnModel"], "auto_map": auto_map})
    )
    return folder


@pytest.fixture
def asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked instead of refusing"))


@pytest.mark.usefixtures("asked_nothing")
def test_code_of_a_model_runs_only_where_the_recipe_says_so(with_code: Path, trace: Path) -> None:
    with pytest.raises(UserError, match=r"custom code.*`trust_remote_code: true`") as caught:
        load_model(str(with_code))
    assert "\n" not in str(caught.value)
    assert not trace.exists()
    model = load_model(str(with_code), trust_remote_code=True)
    assert type(model).__name__ == "OwnModel"
    assert trace.exists()


@pytest.mark.usefixtures("asked_nothing")
def test_what_a_run_will_need_is_counted_with_code_only_where_the_recipe_says_so(with_code: Path, trace: Path) -> None:
    file, model = ROOT / "recipes" / "demo.yaml", ["--model", str(with_code)]
    with pytest.raises(UserError, match="trust_remote_code: true"):
        check_fits(works_of(load_recipe(file, model)), "cpu", 2**40)
    assert not trace.exists()
    check_fits(works_of(load_recipe(file, [*model, "--trust_remote_code", "true"])), "cpu", 2**40)
    assert trace.exists()


@pytest.mark.parametrize(
    "line", [["evaluate", "--task", "word_problems", "--problems", "2"], ["chat"]], ids=lambda line: line[0]
)
def test_commands_run_code_of_a_model_only_with_their_flag(
    with_code: Path,
    trace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: list[str],
) -> None:
    """The model's own code, and that of its tokenizer."""
    of_tokenizer = tmp_path / "trace of the tokenizer"
    (with_code / "own_tokenizer.py").write_text(
        f"open({str(of_tokenizer)!r}, 'w').close()\n"
        "from transformers import PreTrainedTokenizerFast\n"
        "class OwnTokenizer(PreTrainedTokenizerFast):\n    pass\n"
    )
    config = json.loads((with_code / "tokenizer_config.json").read_text())
    auto_map = {"AutoTokenizer": [None, "own_tokenizer.OwnTokenizer"]}
    (with_code / "tokenizer_config.json").write_text(
        json.dumps(config | {"tokenizer_class": "OwnTokenizer", "auto_map": auto_map})
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("What is 2 + 3?\n"))
    line = [*line, str(with_code), "--max-tokens", "4", "--device", "cpu"]
    with pytest.raises(SystemExit) as caught:
        main(line)
    assert caught.value.code == 2
    assert "--trust-remote-code" in capsys.readouterr().err
    assert not trace.exists()
    assert not of_tokenizer.exists()
    main([*line, "--trust-remote-code"])
    assert capsys.readouterr().out
    assert trace.exists()
    assert of_tokenizer.exists()


def test_trust_is_off_unless_the_recipe_says_so(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("name: x\n")
    assert load_recipe(recipe).trust_remote_code is False
    assert load_recipe(recipe, ["--trust_remote_code", "true"]).trust_remote_code is True
    for text in ("1", "'true'"):
        with pytest.raises(UserError, match="trust_remote_code"):
            load_recipe(recipe, ["--trust_remote_code", text])


RECORDER = """
import os, sys
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"):
        with open(os.environ["ATTEMPTS"], "a") as file:
            file.write(f"{event} {args[-1]} {sys.argv}\\n")
sys.addaudithook(hook)
"""


@pytest.mark.faults
def test_a_run_without_a_network_does_not_even_look_for_one(tmp_path: Path) -> None:
    """All stages in a network namespace without interfaces and with an empty cache, nothing set to offline: Python's
    own sockets are recorded by an audit hook, those of native code by strace where it is there."""
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("OFFLINE RUN NOT TESTED: network namespaces are not allowed here")
    attempts, calls = tmp_path / "attempts", tmp_path / "calls"
    (tmp_path / "sitecustomize.py").write_text(RECORDER)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment |= {"PYTHONPATH": path, "ATTEMPTS": str(attempts), "HF_HOME": str(tmp_path / "hf")}
    traced = []
    if shutil.which("strace"):
        traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", str(calls)]
    run = command("run", *arguments(tmp_path, tmp_path / "run"))
    done = subprocess.run(
        [*alone, *traced, *run], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=500
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").exists()
    assert not attempts.exists(), attempts.read_text()
    if traced:
        assert [line for line in calls.read_text().splitlines() if "AF_INET" in line] == []
    # and a connection would have been seen by both
    connect = [sys.executable, "-c", "import socket; socket.socket().connect(('127.0.0.1', 9))"]
    assert subprocess.run([*traced, *connect], env=environment, capture_output=True).returncode
    assert "socket.connect ('127.0.0.1', 9)" in attempts.read_text()
    assert not traced or "AF_INET" in calls.read_text()
