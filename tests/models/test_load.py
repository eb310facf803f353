"""Folders in and out: plain transformers reads what was trained, and what cannot be read is said in one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, Qwen2Config, Qwen3Config

import toy_tokenizers
from reasonwright.chat import ChatFormat, render_completion
from reasonwright.models import attention
from reasonwright.models.load import load_model, load_tokenizer, resolve_model, save_model
from reasonwright.types import UserError
from toy_models import toy_model

WEIGHTS = "model.safetensors"
TEXTS = [
    "It's 1234567  apples,\n\n  and\tthey don't cost 3,000.50!",
    render_completion("naïve 東京 ½", "12"),
    "  spaces    and <|endoftext|>",
]


def write(folder: Path, kind: str = "qwen3", tokenizer=None) -> ChatFormat:
    chat = ChatFormat(tokenizer or toy_tokenizers.chatml_tags())
    save_model(folder, toy_model(kind), chat.tokenizer, chat.stop_ids, "# a card\n")
    return chat


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "model")
    return tmp_path / "model"


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.arange(2, 14).view(2, 6)).logits


@pytest.mark.parametrize("kind", ["qwen3", "qwen3 tied", "llama biases", "qwen2", "mistral window", "gpt2"])
def test_plain_transformers_reads_what_was_written(kind, tmp_path):
    """Invariant 6."""
    chat = write(tmp_path / "m", kind)
    expected = logits(toy_model(kind))
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "m")
    torch.testing.assert_close(logits(plain), expected, atol=0, rtol=0)
    torch.testing.assert_close(logits(load_model(str(tmp_path / "m"))), expected, atol=0, rtol=0)
    assert set(plain.generation_config.eos_token_id) == chat.stop_ids
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "m")
    messages = [{"role": "user", "content": "2 + 3?"}]
    rendered = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert rendered == chat.prompt("2 + 3?").ids
    assert (tmp_path / "m" / "README.md").read_text() == "# a card\n"


def test_a_process_without_this_package_reads_it_too(folder):
    script = (
        "import sys, torch; from transformers import AutoModelForCausalLM, AutoTokenizer; "
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1]); "
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1]); "
        "torch.save(model(torch.arange(2, 14).view(2, 6)).logits.detach(), sys.argv[2]); "
        "print(tokenizer(sys.argv[3]).input_ids); assert not any('reasonwright' in name for name in sys.modules)"
    )
    out = folder.parent / "logits.pt"
    command = [sys.executable, "-c", script, str(folder), str(out), TEXTS[1]]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    torch.testing.assert_close(torch.load(out), logits(toy_model("qwen3")), atol=1e-6, rtol=0)
    assert json.loads(run.stdout) == toy_tokenizers.chatml_tags()(TEXTS[1]).input_ids


@pytest.mark.parametrize("shards", ["1GB", "50KB"])
def test_a_folder_of_plain_transformers_is_read_here(shards, tmp_path):
    toy_model("llama").save_pretrained(tmp_path, max_shard_size=shards)
    toy_tokenizers.chatml().save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shards == "50KB")
    model, tokenizer = load_model(str(tmp_path)), load_tokenizer(str(tmp_path))
    torch.testing.assert_close(logits(model), logits(toy_model("llama")), atol=0, rtol=0)
    assert [tokenizer(text).input_ids for text in TEXTS] == [toy_tokenizers.chatml()(t).input_ids for t in TEXTS]
    assert tokenizer.chat_template == toy_tokenizers.CHATML


def test_masters_are_float32_and_another_type_is_cast(tmp_path):
    toy_model("llama").to(torch.bfloat16).save_pretrained(tmp_path)
    assert {p.dtype for p in load_model(str(tmp_path)).parameters()} == {torch.float32}
    assert {p.dtype for p in load_model(str(tmp_path), dtype=torch.bfloat16).parameters()} == {torch.bfloat16}
    assert load_model(str(tmp_path)).config._attn_implementation == attention.NAME


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_file_modes_follow_the_umask(umask, tmp_path):
    old = os.umask(umask)
    try:
        write(tmp_path / "m")
    finally:
        os.umask(old)
    files = list((tmp_path / "m").iterdir())
    assert {f.name for f in files} >= {WEIGHTS, "config.json", "tokenizer.json", "generation_config.json", "README.md"}
    assert {f.stat().st_mode & 0o777 for f in files} == {0o666 & ~umask}


def test_writing_again_replaces_and_leaves_nothing_beside(folder):
    chat = ChatFormat(toy_tokenizers.chatml_tags())
    save_model(folder, toy_model("qwen3", seed=3), chat.tokenizer, chat.stop_ids, "")
    torch.testing.assert_close(logits(load_model(str(folder))), logits(toy_model("qwen3", seed=3)), atol=0, rtol=0)
    assert [f.name for f in folder.parent.iterdir()] == [folder.name]


def test_a_folder_that_was_half_written_is_not_a_model(folder, monkeypatch):
    """Killed while the new files move in: the old config.json must not vouch for a mixture."""
    chat, moved = ChatFormat(toy_tokenizers.chatml_tags()), []

    def killed(self: Path, target: Path):
        if moved:
            raise KeyboardInterrupt
        moved.append(self.name)
        os.replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_model(folder, toy_model("llama"), chat.tokenizer, chat.stop_ids, "")
    with pytest.raises(UserError, match=r"no config\.json"):
        load_model(str(folder))


# -- tokenizers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("maker", toy_tokenizers.MAKERS)
def test_ids_do_not_change_when_a_tokenizer_is_reloaded(maker, tmp_path):
    chat = write(tmp_path / "m", "qwen3", toy_tokenizers.MAKERS[maker]())
    again = ChatFormat(load_tokenizer(str(tmp_path / "m")))
    for text in TEXTS:
        assert again.completion_ids(text) == chat.completion_ids(text)
        assert again.prompt(text) == chat.prompt(text)
        assert again.prompt(text, "cot") == chat.prompt(text, "cot")
    assert (again.end_id, again.stop_ids) == (chat.end_id, chat.stop_ids)


NEOX_SIZES = {
    "vocab_size": 50304,
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
}


def neox_ids_after(config, shared_data: Path, folder: Path) -> tuple[list, list, list]:
    """Ids of the texts before saving, after a reload, and after saving and reloading once more."""
    chat = ChatFormat(toy_tokenizers.neox(shared_data))
    model = AutoModelForCausalLM.from_config(config(**NEOX_SIZES))
    save_model(folder / "1", model, chat.tokenizer, chat.stop_ids, "")
    once = ChatFormat(load_tokenizer(str(folder / "1")))
    save_model(folder / "2", model, once.tokenizer, once.stop_ids, "")
    twice = ChatFormat(load_tokenizer(str(folder / "2")))
    return tuple([c.completion_ids(t) + c.prompt(t).ids for t in TEXTS] for c in (chat, once, twice))


@pytest.mark.parametrize("config", [Qwen3Config, LlamaConfig])
def test_reloaded_ids_equal_the_ids_trained_on(config, shared_data, tmp_path):
    before, once, twice = neox_ids_after(config, shared_data, tmp_path)
    assert before == once == twice


def test_a_folder_of_type_qwen2_gets_qwen2s_own_pretokenizer(shared_data, tmp_path):
    """transformers 5 does so whatever tokenizer.json says, which is why such a folder must be trained on as it loads:
    from there on nothing changes."""
    before, once, twice = neox_ids_after(Qwen2Config, shared_data, tmp_path)
    assert before != once
    assert once == twice


# -- what cannot be loaded -----------------------------------------------------------------------------------------


def refusal(spec: str, load=load_model) -> str:
    with pytest.raises(UserError) as caught:
        load(spec)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400 + 2 * len(spec)
    return message


def edit_config(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def to_pickle(folder: Path) -> None:
    torch.save(toy_model("qwen3").state_dict(), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def broken_index(folder: Path, content: dict) -> None:
    (folder / WEIGHTS).unlink()
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(content))


BROKEN_MODELS = {
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "safetensors"),
    "pickle only": (to_pickle, "safetensors"),
    "truncated": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:20_000]), "header"),
    "empty": (lambda f: (f / WEIGHTS).write_bytes(b""), "header"),
    "not safetensors": (lambda f: (f / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\n"), "header"),
    "index without map": (lambda f: broken_index(f, {}), "weight_map"),
    "shard missing": (
        lambda f: broken_index(f, {"weight_map": {"a": "b.safetensors"}, "metadata": {}}),
        "b.safetensors",
    ),
    "no config": (lambda f: (f / "config.json").unlink(), "config.json"),
    "config cut": (lambda f: (f / "config.json").write_text('{"model_type": '), "config.json"),
    "config a list": (lambda f: (f / "config.json").write_text("[]"), "model_type"),
    "config wrong type": (lambda f: edit_config(f, hidden_size="x"), "hidden_size"),
    "config inconsistent": (lambda f: edit_config(f, num_hidden_layers=5), "num_hidden_layers"),
    "config of another size": (lambda f: edit_config(f, hidden_size=64), "another shape: .*embed_tokens"),
    "layers missing": (lambda f: edit_config(f, num_hidden_layers=3, layer_types=None), r"missing .*layers\.2"),
    "unknown architecture": (lambda f: edit_config(f, model_type="nope"), "nope"),
    "not a causal model": (lambda f: edit_config(f, model_type="t5"), "AutoModelForCausalLM"),
    "own code": (lambda f: edit_config(f, model_type="x", auto_map={"AutoConfig": "evil.C"}), "custom code"),
}


@pytest.mark.parametrize("name", BROKEN_MODELS)
def test_a_broken_model_folder_is_refused(name, folder, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether to run code from the folder"))
    damage, says = BROKEN_MODELS[name]
    damage(folder)
    message = refusal(str(folder))
    assert str(folder) in message
    assert re.search(says, message), message


BROKEN_TOKENIZERS = {
    "none": lambda f: [(f / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")],
    "no tokenizer.json": lambda f: (f / "tokenizer.json").unlink(),
    "cut": lambda f: (f / "tokenizer.json").write_text('{"model": '),
    "empty": lambda f: (f / "tokenizer.json").write_text("{}"),
    "config cut": lambda f: (f / "tokenizer_config.json").write_text("{"),
    "config a list": lambda f: (f / "tokenizer_config.json").write_text("[]"),
}


@pytest.mark.parametrize("name", BROKEN_TOKENIZERS)
def test_a_broken_tokenizer_is_refused(name, folder):
    BROKEN_TOKENIZERS[name](folder)
    assert str(folder) in refusal(str(folder), load_tokenizer)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        " ",
        "foo",
        "a/b/c",
        "a//b",
        "/nope",
        "./nope",
        "~/nope",
        "../x",
        "a b/c",
        "é/ü",
        "-/-",
        "a/..",
        "a/b\0",
        "x" * 5000,
    ],
)
def test_odd_specs_are_refused(spec):
    for load in (load_model, load_tokenizer):
        refusal(spec, load)


@pytest.mark.parametrize("spec", ["embedded:nope", "embedded:", "embedded:../tiny"])
def test_unknown_embedded_models_are_refused_with_those_there_are(spec):
    assert "embedded:base" in refusal(spec)


def test_an_embedded_model_that_is_not_installed_is_said_to_be_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules["reasonwright.models.load"].EMBEDDED, "base", tmp_path / "base")
    assert "embedded:base is not in this installation" in refusal("embedded:base")


def test_a_file_is_not_a_model(folder):
    assert "no such folder" in refusal(str(folder / WEIGHTS))


def test_a_folder_is_taken_before_a_hub_id(folder, monkeypatch):
    monkeypatch.chdir(folder.parent.parent)
    spec = f"{folder.parent.name}/{folder.name}"
    assert resolve_model(spec) == spec


def test_hub_ids_without_a_network(folder, tmp_path):
    """A model in the cache is found; another fails at once when offline, and soon when the hub does not answer.

    In processes of their own: the library reads its environment when it is imported.
    """
    repo, commit = tmp_path / "hub" / "models--org--cached", "0" * 40
    shutil.copytree(folder, repo / "snapshots" / commit)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    script = (
        "import time; from reasonwright.models.load import load_model, load_tokenizer\n"
        "from reasonwright.types import UserError\n"
        "print(load_model('org/cached').num_parameters(), len(load_tokenizer('org/cached')))\n"
        "start = time.monotonic()\n"
        "try: load_model('org/no-such-model')\n"
        "except UserError as error: print(error)\n"
        "print(time.monotonic() - start)"
    )
    hub = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    runs = {
        offline: subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | hub | {"HF_HUB_OFFLINE": offline},
        )
        for offline in ("0", "1")
    }
    for offline, says, limit in (("0", "the hub cannot be reached", 15), ("1", "HF_HUB_OFFLINE is set", 2)):
        output, errors = runs[offline].communicate(timeout=120)
        assert runs[offline].returncode == 0, errors
        found, message, took = output.strip().splitlines()
        assert found == f"{toy_model('qwen3').num_parameters()} {len(toy_tokenizers.chatml_tags())}"
        assert says in message
        assert float(took) < limit
        assert offline == "0" or errors == ""
