"""What the disk did to a checkpoint after it was committed is said by the name of the file, and how to go on."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
import torch
from children import GRPO, grpo
from test_resume import at_ask
from transformers import AutoModelForCausalLM, AutoTokenizer

from reasonwright.runlog import read_json
from reasonwright.stopping import Stopped
from reasonwright.training.checkpoint import State, committed
from reasonwright.types import UserError
from toy import fill, numbered

FILES = ["model.safetensors", "optimizer.safetensors", "buffer.safetensors", "state.json", "config.json"]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GRPO training that was stopped twice, the second time in the middle of a batch of rollouts."""
    folder = tmp_path_factory.mktemp("stopped")
    for asks in (2, 1):
        with pytest.raises(Stopped):
            grpo(folder, stop=at_ask(asks))
    assert [p.name for p in committed(folder / "checkpoints")] == ["checkpoint-2", "checkpoint-3"]
    return folder


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(stopped, tmp_path / "run"))


def refusal(folder: Path) -> str:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(UserError) as caught:
        grpo(folder)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    return str(caught.value)


def flip(file: Path, place: float) -> None:
    data = bytearray(file.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.9])
def test_one_flipped_bit(folder: Path, name: str, place: float):
    flip(folder / "checkpoints" / "checkpoint-3" / name, place)
    said = refusal(folder)
    assert f"checkpoint-3/{name} is damaged" in said
    assert "remove " in said
    assert "to go on from checkpoint-2" in said


def test_a_flipped_bit_of_the_manifest(folder: Path):
    flip(folder / "checkpoints" / "checkpoint-3" / "manifest.json", 0.0)
    assert "checkpoint-3/manifest.json is damaged" in refusal(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_cut_or_is_gone(folder: Path, name: str):
    file = folder / "checkpoints" / "checkpoint-3" / name
    os.truncate(file, file.stat().st_size - 1)
    assert f"{name} is damaged" in refusal(folder)
    file.unlink()
    assert f"{name} is missing" in refusal(folder)


def test_no_manifest(folder: Path):
    (folder / "checkpoints" / "checkpoint-3" / "manifest.json").unlink()
    assert "checkpoint-3/manifest.json is missing" in refusal(folder)


def test_a_file_too_many(folder: Path):
    """Refused: transformers reads what lies in a model folder, such as an adapter."""
    file = folder / "checkpoints" / "checkpoint-3" / "adapter_config.json"
    file.write_text("{}")
    assert f"{file} is not part of the checkpoint" in refusal(folder)


def test_the_mend_that_is_named_is_one(folder: Path):
    flip(folder / "checkpoints" / "checkpoint-3" / "model.safetensors", 0.5)
    shutil.rmtree(folder / "checkpoints" / "checkpoint-3")
    grpo(folder)
    assert committed(folder / "checkpoints")[-1].name == "checkpoint-8"
    flip(folder / "checkpoints" / "checkpoint-8" / "model.safetensors", 0.5)
    shutil.rmtree(folder / "checkpoints" / committed(folder / "checkpoints")[0].name)
    for older in committed(folder / "checkpoints")[:-1]:
        shutil.rmtree(older)
    assert "to begin anew" in refusal(folder)


def test_other_weights_or_another_optimiser(folder: Path):
    settings = GRPO.model_validate(GRPO.model_dump() | {"optim": {"lr": 1e-3, "optimizer": "muon"}})
    with pytest.raises(UserError, match="was made with optimizer adamw: keep to it, or remove"):
        grpo(folder, settings=settings)


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_modes_by_umask(tmp_path: Path, umask: int):
    checkpoints = numbered(tmp_path / "checkpoints")
    fill(checkpoints.policy, 1)
    before = os.umask(umask)
    try:
        checkpoints.commit(State(1, {}, {"x": torch.ones(2)}))
    finally:
        os.umask(before)
    folder = tmp_path / "checkpoints" / "checkpoint-1"
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o666 & ~umask}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~umask
    assert {p.suffix for p in folder.iterdir()} <= {".safetensors", ".json", ".md", ".jinja"}  # nothing pickled


def test_plain_transformers_loads_a_checkpoint(folder: Path):
    """The same weights, logits and tokens as the policy that wrote it."""
    place = folder / "checkpoints" / "checkpoint-3"
    checkpoints = numbered(folder / "checkpoints")
    checkpoints.load()
    model, tokenizer = AutoModelForCausalLM.from_pretrained(place), AutoTokenizer.from_pretrained(place)
    ids = tokenizer("What is 2 + 3?", return_tensors="pt").input_ids
    assert ids.tolist()[0] == checkpoints.chat.tokenizer("What is 2 + 3?").input_ids
    with torch.no_grad():
        assert torch.equal(model(ids).logits, checkpoints.policy.model(ids).logits)
    assert model.generation_config.eos_token_id is not None
    assert read_json(place / "state.json")["optimizer_steps"] == 3
