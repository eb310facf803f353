"""Which folder or hub id a model's name means. No torch in here."""

from __future__ import annotations

import functools
import json
import os
import re
from pathlib import Path

from reasonwright.types import UserError

EMBEDDED = {name: Path(__file__).parent / "embedded" / name for name in ("base", "student", "tiny")}
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
HUB_TIMEOUT = 10.0
CONFIG, ADAPTER = "config.json", "adapter_config.json"
"""What a folder of a model holds, and what one of a PEFT adapter holds in its place."""
MODEL_FILES = (
    CONFIG, ADAPTER, "generation_config.json", "*.safetensors", "*.safetensors.index.json", "chat_template.jinja",
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "*.model", "*.py",
)  # fmt: skip
"""What decides a model's answers; its code too, which runs only where it is trusted."""


def resolve_model(spec: str) -> str:
    """What `from_pretrained` takes for `embedded:NAME`, a folder or a hub id.

    Raises UserError in one sentence, within seconds, where there is no such model.
    """
    if spec.startswith("embedded:"):
        name = spec.removeprefix("embedded:")
        if name not in EMBEDDED:
            raise UserError(f"no embedded model {name!r}; there are " + " and ".join(f"embedded:{n}" for n in EMBEDDED))
        if not (EMBEDDED[name] / "config.json").is_file():
            raise UserError(f"{spec} is not in this installation: no folder {EMBEDDED[name]}")
        return str(EMBEDDED[name])
    path = Path(spec).expanduser()
    if spec and os.path.isdir(path):
        if not is_model_folder(path):
            raise UserError(f"{path} is not a model folder: it has no {CONFIG}")
        return str(path)
    if os.path.exists(path) or not HUB_ID.fullmatch(spec):
        raise UserError(f"model {spec!r}: no such folder, and a hub id looks like 'Qwen/Qwen2.5-0.5B'")
    return _hub_source(spec)


def is_model_folder(folder: Path) -> bool:
    return (folder / CONFIG).is_file() or (folder / ADAPTER).is_file()


def base_of(folder: Path) -> str | None:
    """The model that the adapter in a folder belongs to; None where the folder holds a whole model."""
    if (folder / CONFIG).is_file() or not (folder / ADAPTER).is_file():
        return None
    return json.loads((folder / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"]


@functools.cache
def _hub_source(repo: str) -> str:
    """The hub id where the hub answers, else the folder of the local cache.

    transformers alone retries an unreachable hub for a minute and prints eighty lines, for a cached model too.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        cached = try_to_load_from_cache(repo, "config.json")
    except HFValidationError:
        raise UserError(f"model {repo!r}: no such folder, and not a possible hub id") from None
    folder = str(Path(cached).parent) if isinstance(cached, str) else None
    if HF_HUB_OFFLINE:
        if folder is None:
            raise UserError(f"model {repo!r} is not in the local cache and HF_HUB_OFFLINE is set")
        return folder
    try:
        get_hf_file_metadata(hf_hub_url(repo, "config.json"), timeout=HUB_TIMEOUT, retry_on_errors=False)
    except GatedRepoError:
        problem = f"model {repo!r} is gated: accept its terms on the hub and run `hf auth login`"
    except RepositoryNotFoundError:
        problem = f"model {repo!r} is neither a folder here nor a public model on the hub"
    except Exception as error:  # whatever the network does, the user's mend is the same
        problem = (
            f"model {repo!r} is not in the local cache and the hub cannot be reached ({type(error).__name__}): "
            "check the network, or give a folder"
        )
    else:
        return repo
    if folder is None:
        raise UserError(problem)
    return folder


def model_folder(spec: str) -> Path:
    """The folder that holds a model's files; one of the hub is fetched first, so that what is measured has a hash."""
    source = resolve_model(spec)
    if os.path.isdir(source):
        return Path(source)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(source, allow_patterns=list(MODEL_FILES)))
