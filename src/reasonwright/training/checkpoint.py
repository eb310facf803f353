"""Training state on disk: safetensors and JSON, never pickle.

Everything else that a step depends on is a function of (seed, step), so weights, moments and the step are the state.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from reasonwright.training.policy import Policy


def save_checkpoint(folder: Path, policy: Policy, step: int, extra: dict[str, Any] | None = None) -> None:
    """Commit the state after `step` finished steps as `folder/step-N`, by rename; older ones are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"step-{step}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    names = {id(p): name for name, p in policy.model.named_parameters()}
    moments = {
        f"{names[id(p)]}/{key}": value.contiguous()
        for p, state in policy.optimizer.state.items()
        for key, value in state.items()
    }
    save_file(
        {name: p.detach().contiguous() for name, p in policy.model.named_parameters()}, beside / "model.safetensors"
    )
    save_file(moments, beside / "optimizer.safetensors")
    state = {"step": step, "optimizer_steps": policy.steps, "bad_steps": policy.bad_steps, "extra": extra or {}}
    (beside / "state.json").write_text(json.dumps(state))
    final = folder / f"step-{step}"
    shutil.rmtree(final, ignore_errors=True)
    beside.rename(final)
    for old in folder.iterdir():
        if old != final:
            shutil.rmtree(old)


def load_checkpoint(folder: Path, policy: Policy) -> tuple[int, dict[str, Any]]:
    """Restore the newest committed state; (steps done, extra), or (0, {}) where there is none."""
    committed = [p for p in folder.glob("step-*") if p.suffix != ".partial"] if folder.is_dir() else []
    if not committed:
        return 0, {}
    newest = max(committed, key=lambda p: int(p.name.removeprefix("step-")))
    state = json.loads((newest / "state.json").read_text())
    weights, moments = load_file(newest / "model.safetensors"), load_file(newest / "optimizer.safetensors")
    with torch.no_grad():
        for name, p in policy.model.named_parameters():
            p.copy_(weights[name])
            saved = {k.rpartition("/")[2]: v for k, v in moments.items() if k.rpartition("/")[0] == name}
            if saved:  # AdamW keeps its step count on the CPU unless fused on a GPU; moments lie with the weights
                policy.optimizer.state[p] = {k: v.to(p.device) for k, v in saved.items()}
    policy.steps, policy.bad_steps = state["optimizer_steps"], state["bad_steps"]
    return state["step"], state["extra"]
