"""A recipe: the complete settings of one run, from YAML and overrides. No torch in here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from reasonwright.distillation.settings import RejectionSettings
from reasonwright.evaluation.settings import EvaluateSettings
from reasonwright.models.settings import Compute
from reasonwright.settings import Settings
from reasonwright.training.settings import GRPOSettings, OptimSettings, SFTSettings
from reasonwright.types import UserError


class Recipe(Settings):
    name: str
    """The run's name; its folder is runs/NAME unless --out says otherwise."""
    seed: int = 0
    task: str = "word_problems"
    """NAME or NAME:PATH, see `reasonwright tasks`."""
    skip_bad_rows: bool = False
    """Count and skip rows of a file that cannot be read, instead of stopping at the first."""
    model: str = "embedded:base"
    """A hub id, a folder, or embedded:base."""
    student: str = "embedded:student"
    """The smaller model that the kept solutions are distilled into."""
    trust_remote_code: bool = False
    """Run Python code that comes in the models' folders; some architectures need it, and it can do anything."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute: Compute = "float32"
    """What the models' linear layers and attention compute in, in training and sampling alike; bfloat16 is for GPUs.
    Weights, gradients, moments, log-probabilities and losses are float32 either way."""
    track: Literal["tensorboard", "trackio", "wandb"] | None = None
    """Where metrics are sent beside metrics.jsonl; TensorBoard's files are written to RUN/tensorboard."""
    sft: SFTSettings = SFTSettings()
    grpo: GRPOSettings = GRPOSettings()
    rejection: RejectionSettings = RejectionSettings()
    distill: SFTSettings = SFTSettings(optim=OptimSettings(lr=2e-5))
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings)

    @field_validator("name")
    @classmethod
    def _folder_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ValueError("a name is letters, digits, '.', '_' and '-', as it becomes a folder")
        return name

    @model_validator(mode="after")
    def _one_adapter(self) -> Recipe:
        if all(lora and lora.save == "adapter" for lora in (self.sft.lora, self.grpo.lora)):
            raise ValueError("grpo's adapter cannot lie on sft's: set sft.lora.save or grpo.lora.save to merged")
        return self


class _Loader(yaml.SafeLoader):
    """YAML 1.2's floats: PyYAML alone reads 3e-5 as text."""


_Loader.yaml_implicit_resolvers = {k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML file with `--grpo.group_size 8` or `--grpo.group_size=8` overrides applied.

    Raises UserError, naming the place and the nearest known key, where anything is not as it should be.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise UserError(f"recipe {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"recipe {path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise UserError(f"recipe {path} must hold keys and values, such as `name: demo`")
    for key, value in parse_overrides(overrides):
        set_key(values, key, value)
    return make_recipe(values, str(path))


def make_recipe(values: dict[str, Any], source: str) -> Recipe:
    """Validate a recipe's values; `source` names where they came from in errors."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise UserError("\n".join(f"{source}: {_explain(e)}" for e in error.errors())) from None


def parse_overrides(arguments: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of each override; values are YAML."""
    rest = list(arguments)
    while rest:
        key, equals, text = rest.pop(0).partition("=")
        if not key.startswith("--"):
            raise UserError(f"unexpected argument {key!r}: settings are given as --key value, such as --grpo.steps 20")
        if not equals:
            if not rest:
                raise UserError(f"{key} needs a value")
            text = rest.pop(0)
        try:
            yield key[2:], yaml.load(text, Loader=_Loader)
        except yaml.YAMLError:
            raise UserError(f"{key}: {text!r} is not a valid value") from None


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write the resolved recipe; it loads and runs as it is."""
    path.write_text(yaml.safe_dump(recipe.model_dump(), sort_keys=False, allow_unicode=True), encoding="utf-8")


def differences(one: Recipe, other: Recipe) -> list[str]:
    """The keys in which two recipes differ: ["grpo.steps: 100 -> 200"]."""
    a, b = dict(_flatten(one.model_dump())), dict(_flatten(other.model_dump()))
    return [f"{key}: {a.get(key)} -> {b.get(key)}" for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)]


def known_keys(model: type[BaseModel] = Recipe, prefix: str = "") -> Iterator[str]:
    """Every key of a recipe, dotted."""
    for name, info in model.model_fields.items():
        yield prefix + name
        for kind in (info.annotation, *get_args(info.annotation)):  # X and X | None
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from known_keys(kind, f"{prefix}{name}.")


def _explain(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}{_nearest(key)}"
    if error["type"] == "missing":
        return f"{key} is missing"
    message = error["msg"].removeprefix("Value error, ")
    given = "" if isinstance(error["input"], dict) else f" (given: {error['input']!r})"
    return f"{key}: {message}{given}" if key else message


def _nearest(key: str) -> str:
    keys = list(known_keys())
    parent, _, leaf = key.rpartition(".")
    siblings = {k.rpartition(".")[2]: k for k in keys if k.rpartition(".")[0] == parent}
    same = [k for k in keys if k.rpartition(".")[2] == leaf]
    close = [k for k in same if k.startswith(f"{parent}.")]  # deeper in the same group
    close = close or [siblings[m] for m in difflib.get_close_matches(leaf, siblings, 1, 0.6)]
    close = close or same or difflib.get_close_matches(key, keys, 1, 0.5)
    return f"; the nearest known key is {close[0]}" if close else ""


def set_key(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in a recipe's values, in place."""
    *parents, leaf = key.split(".")
    for name in parents:
        if values.get(name) is None:
            values[name] = {}
        inner = values[name]
        if not isinstance(inner, dict):
            raise UserError(f"--{key}: {name} is a value, not a group of settings")
        values = inner
    values[leaf] = value


def _flatten(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
