"""Training state on disk: safetensors and JSON, never pickle.

`checkpoint-N/`, after N optimiser steps, is a model folder that plain transformers loads, and beside it

    optimizer.safetensors   the moments, as PARAMETER/NAME
    buffer.safetensors      between two updates on one batch of rollouts: that batch
    state.json              finished steps (the data cursor), optimiser steps, skipped steps in a row, evaluation, extra
    manifest.json           length and sha256 of every other file

The learning rate, the data of a step and all random numbers are functions of (seed, step), so there is no state of a
scheduler or a generator. Written beside as `checkpoint-N.partial`, brought to the disk, then committed by rename.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save_file

from reasonwright.chat import ChatFormat
from reasonwright.models.load import restore_weights, save_model
from reasonwright.runlog import finite, read_json, require_room, sync, write_json, writing
from reasonwright.stopping import Stopped
from reasonwright.training.manifest import files_of, verify, write_manifest
from reasonwright.training.policy import Policy
from reasonwright.types import UserError


class CheckpointSettings(Protocol):
    @property
    def checkpoint_every(self) -> int: ...
    @property
    def checkpoints_kept(self) -> int: ...


@dataclass(frozen=True)
class State:
    """What a checkpoint holds besides weights and moments."""

    step: int = 0
    """Finished steps."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What the training itself wants back, as JSON has it."""
    buffer: Mapping[str, torch.Tensor] | None = None
    """Likewise, tensors."""


class Checkpoints:
    """The checkpoints of one training in `folder`: when one is committed, which stay, where to go on.

    Committed is every `checkpoint_every`-th step, the last of `total`, one whose evaluation is better than all before,
    and the one in which `stop()` says to stop. The newest `checkpoints_kept` stay, and the best by evaluation.
    """

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        chat: ChatFormat,
        settings: CheckpointSettings,
        total: int,
        stop: Callable[[], bool],
    ):
        self.folder, self.policy, self.chat = folder, policy, chat
        self.settings, self.total, self.stop = settings, total, stop

    def load(self) -> State:
        """Restore the policy from the newest checkpoint; step 0 where there is none. What a kill left is removed.

        Raises UserError naming the file where the newest is not as it was written.
        """
        _remove_partial(self.folder)
        if not (found := committed(self.folder)):
            return State()
        newest = found[-1]
        mend = f"remove {newest} to go on from {found[-2].name}" if found[1:] else f"remove {newest} to begin anew"
        verify(newest, mend)
        state = read_json(newest / "state.json")
        model, optimizer = self.policy.model, self.policy.optimizer
        if state["optimizer"] != self.policy.settings.optimizer:
            raise UserError(f"{newest} was made with optimizer {state['optimizer']}: keep to it, or {mend}")
        try:
            restore_weights(model, newest)
        except RuntimeError:  # names or shapes
            raise UserError(f"{newest} is of another model than the one to train: keep to it, or {mend}") from None
        parameters = dict(model.named_parameters())
        for key, value in load_file(newest / "optimizer.safetensors").items():
            name, _, moment = key.rpartition("/")
            # AdamW keeps its step count on the CPU unless fused on a GPU; moments lie with the weights
            optimizer.state[parameters[name]][moment] = value.to(parameters[name].device)
        self.policy.steps, self.policy.bad_steps = state["optimizer_steps"], state["bad_steps"]
        buffer = newest / "buffer.safetensors"
        return State(state["step"], state["extra"], load_file(buffer) if buffer.exists() else None)

    def after_step(self, step: int, score: float | None = None, **extra: Any) -> None:
        """Commit where one is due after `step` finished steps; raises Stopped after that where asked to.

        `score`: the step's evaluation where there was one, higher is better.
        """
        stop = self.stop()
        if stop or step % self.settings.checkpoint_every == 0 or step == self.total or self._is_best(score):
            self.commit(State(step, extra), score)
        if stop:
            raise Stopped

    def within_step(self, state: Callable[[], State]) -> None:
        """Between two updates of a step: where asked to stop, commit the `state()` and raise Stopped."""
        if self.stop():
            self.commit(state())
            raise Stopped

    def commit(self, state: State, score: float | None = None) -> None:
        """Write `checkpoint-N`, whole or not at all. Raises UserError where the disk has no room for it."""
        final = self.folder / f"checkpoint-{self.policy.steps}"
        beside = final.with_name(final.name + ".partial")
        names = {id(p): name for name, p in self.policy.model.named_parameters()}
        moments = {
            f"{names[id(p)]}/{moment}": value.contiguous()
            for p, values in self.policy.optimizer.state.items()
            for moment, value in values.items()
        }
        buffer = dict(state.buffer or {})
        tensors = [*self.policy.model.parameters(), *moments.values(), *buffer.values()]
        size = sum(tensor.nbytes for tensor in tensors)
        with writing(final, size):
            self.folder.mkdir(parents=True, exist_ok=True)
            require_room(final, size)
            try:
                card = f"Training state after {self.policy.steps} optimiser steps; `reasonwright` goes on from here.\n"
                save_model(beside, self.policy.model, self.chat.tokenizer, self.chat.stop_ids, card)
                save_file(moments, beside / "optimizer.safetensors")
                if state.buffer is not None:
                    save_file(buffer, beside / "buffer.safetensors")
                record = {
                    "step": state.step,
                    "optimizer": self.policy.settings.optimizer,
                    "optimizer_steps": self.policy.steps,
                    "bad_steps": self.policy.bad_steps,
                    "score": finite(score),
                    "extra": state.extra,
                }
                write_json(beside / "state.json", record)
                for file in files_of(beside):  # safetensors writes 0600, whatever the umask
                    file.chmod((beside / "state.json").stat().st_mode)
                write_manifest(beside)
                logs = self.folder.parent.glob("*.jsonl")  # their rows up to this step belong to it
                sync(*beside.rglob("*"), beside, *logs)
                beside.rename(final)
                sync(self.folder)
            except BaseException:
                _remove_partial(self.folder)
                raise
        self._keep_newest_and_best()

    def _is_best(self, score: float | None) -> bool:
        scores = map(_score, committed(self.folder))
        return score is not None and all(old is None or score > old for old in scores)

    def _keep_newest_and_best(self) -> None:
        found = committed(self.folder)
        best = best_of(found)
        for old in found[: -self.settings.checkpoints_kept]:
            if old != best:
                _remove(old)


def committed(folder: Path) -> list[Path]:
    """The checkpoints in a folder, by number."""
    found = [p for p in folder.glob("checkpoint-*") if p.suffix != ".partial"]
    return sorted(found, key=lambda p: int(p.name.removeprefix("checkpoint-")))


def best_of(found: list[Path]) -> Path | None:
    """The checkpoint with the highest evaluation, the newest of equals; None where none was evaluated."""
    scores = [(score, i) for i, path in enumerate(found) if (score := _score(path)) is not None]
    return found[max(scores)[1]] if scores else None


def keep_only_best(folder: Path) -> None:
    """After the training: its newest checkpoint is the finished model, so only a better one is kept."""
    found = committed(folder)
    best = best_of(found)
    for path in found:
        if path != best or path == found[-1]:
            _remove(path)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def _score(folder: Path) -> float | None:
    try:
        return read_json(folder / "state.json")["score"]
    except (OSError, ValueError, KeyError):  # one that is damaged has its say when it is loaded
        return None


def _remove(folder: Path) -> None:
    """Renamed first, so that a kill in the middle leaves no damaged checkpoint."""
    shutil.rmtree(folder.rename(folder.with_name(folder.name + ".partial")))


def _remove_partial(folder: Path) -> None:
    for path in folder.glob("*.partial"):
        shutil.rmtree(path, ignore_errors=True)
