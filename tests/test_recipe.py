"""Recipes: what is refused, and in which words; nothing heavy is imported to say so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from places import ROOT
from reasonwright.recipe import Recipe, differences, known_keys, load_recipe, make_recipe, save_recipe
from reasonwright.types import UserError

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
OBVIOUS = {"seed", "device", "epochs", "steps", "beta1", "beta2"}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load_recipe(written(tmp_path, text), overrides)
    return str(caught.value)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_loads_and_its_resolved_form_is_the_same(path: Path, tmp_path: Path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    save_recipe(recipe, tmp_path / "recipe.yaml")
    again = load_recipe(tmp_path / "recipe.yaml")
    assert again == recipe
    assert differences(recipe, again) == []
    assert set(known_keys()) >= set(_leaves(recipe.model_dump()))


def _leaves(values: dict, prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and key != "functions":
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def test_the_four_recipes_are_there():
    names = {path.stem for path in RECIPES}
    assert names >= {"smoke", "demo", "article-qwen2.5-0.5b-gsm8k", "gsm8k-qwen2.5-0.5b"}


def test_the_recipes_for_a_gpu_compute_in_bfloat16_and_the_others_in_float32():
    for path in RECIPES:
        assert load_recipe(path).compute == ("bfloat16" if "qwen" in path.stem else "float32")


def test_the_article_recipe_has_the_articles_settings():
    recipe = load_recipe(ROOT / "recipes" / "article-qwen2.5-0.5b-gsm8k.yaml")
    grpo = recipe.grpo
    assert (grpo.group_size, grpo.max_tokens, grpo.temperature, grpo.optim.lr) == (4, 512, 0.7, 1e-6)
    assert (grpo.loss.epsilon_low, grpo.loss.epsilon_high, grpo.loss.ratio) == (0.2, 0.2, "sequence")
    assert (grpo.kl.place, grpo.kl.beta, recipe.rejection.solutions_per_problem) == ("reward", 0.1, 64)
    assert recipe.sft.loss_on == "completion"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\ngrpo: {group_sise: 8}", ["unknown key grpo.group_sise", "nearest known key is grpo.group_size"]),
        ("name: x\nstuden: a", ["unknown key studen", "student"]),
        ("name: x\ngroup_size: 8", ["unknown key group_size", "grpo.group_size"]),
        ("name: x\nsft: {optim: {learning_rate: 1}}", ["unknown key sft.optim.learning_rate", "nearest"]),
        ("name: x\nsft: {lr: 1e-5}", ["unknown key sft.lr", "optim.lr"]),
        ("name: x\ngrpo: {loss: {clipp: detached}}", ["unknown key grpo.loss.clipp", "grpo.loss.clip"]),
        ("name: x\nzzzzqqqq: 1", ["unknown key zzzzqqqq"]),
        ("name: x\ngrpo: {steps: many}", ["grpo.steps", "integer", "'many'"]),
        ("name: x\ngrpo: {steps: 1.5}", ["grpo.steps", "integer"]),
        ("name: x\ngrpo: {steps: '10'}", ["grpo.steps", "integer"]),
        ("name: x\ngrpo: {steps: true}", ["grpo.steps", "integer"]),
        ("name: x\ngrpo: {steps: 0}", ["grpo.steps", "greater than or equal to 1"]),
        ("name: x\ngrpo: {group_size: 1}", ["grpo.group_size", "2"]),
        ("name: x\nsft: {optim: {lr: -1.0}}", ["sft.optim.lr", "greater than 0"]),
        ("name: x\nsft: 3", ["sft", "given: 3"]),
        ("name: x\ncompute: float16", ["compute", "'float32' or 'bfloat16'", "'float16'"]),
        ("name: x\ngrpo: {compute: bfloat16}", ["unknown key grpo.compute", "nearest known key is compute"]),
        ("name: x\nsft: {loss_on: prompt}", ["sft.loss_on", "'completion' or 'all'"]),
        ("name: x\nevaluate: {also: svamp}", ["evaluate.also", "list"]),
        ("name: x\nevaluate: {also: ['jsonl:a', 'jsonl:b']}", ["evaluate.also", "once"]),
        ("name: x\ngrpo: {top_p: 0.9}", ["grpo.top_p", "refused in RL"]),
        ("name: x\ngrpo: {top_k: 5}", ["grpo.top_k", "refused in RL"]),
        ("name: x\ngrpo: {kl: {place: reward, beta: 0.0}}", ["grpo", "kl.beta is 0"]),
        ("name: x\ngrpo: {loss: {variant: ppo}}", ["grpo.loss", "unknown variant 'ppo'", "dr_grpo"]),
        ("name: x\ngrpo: {reward: {accuracy: 0.0, format: 1.0}}", ["grpo", "no reward says"]),
        ("name: x\ngrpo: {problems: 20, eval_every: 5, eval_problems: 20}", ["grpo", "leaves none"]),
        ("name: x\nsft: {rows: 20, eval_every: 5, eval_rows: 64}", ["sft", "leaves none"]),
        ("name: ../x", ["name", "folder"]),
        ("name: ''", ["name", "folder"]),
        ("task: word_problems", ["name is missing"]),
        ("- name: x", ["must hold keys and values"]),
        ("", ["must hold keys and values"]),
        ("name: [", ["not valid YAML"]),
        ("name: x\n1: 2", ["1"]),
    ],
)
def test_refused_in_one_line_that_names_the_key(tmp_path: Path, text: str, words: list[str]):
    message = refused(tmp_path, text)
    assert "\n" not in message
    assert message.startswith(("recipe " + str(tmp_path), str(tmp_path)))
    for word in words:
        assert word in message


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(UserError, match=r"no\.yaml cannot be read: No such file"):
        load_recipe(tmp_path / "no.yaml")


@pytest.mark.parametrize("text", ["3e-5", "3E-5", "3.0e-5", "+3e-05", ".3e-4", "0.00003"])
def test_floats_as_people_write_them(tmp_path: Path, text: str):
    recipe = load_recipe(written(tmp_path, f"name: x\nsft: {{optim: {{lr: {text}}}}}"), [f"--grpo.optim.lr={text}"])
    assert recipe.sft.optim.lr == recipe.grpo.optim.lr == 3e-5


def test_a_whole_number_may_stand_for_a_float(tmp_path: Path):
    assert load_recipe(written(tmp_path, "name: x\ngrpo: {temperature: 1}")).grpo.temperature == 1.0


@pytest.mark.parametrize("arguments", [["--grpo.group_size", "16"], ["--grpo.group_size=16"]])
def test_overrides_in_both_spellings(tmp_path: Path, arguments: list[str]):
    recipe = load_recipe(written(tmp_path, "name: x\ngrpo: {steps: 7, group_size: 4}"), arguments)
    assert (recipe.grpo.group_size, recipe.grpo.steps) == (16, 7)


def test_overrides_of_other_kinds(tmp_path: Path):
    path = written(tmp_path, "name: x")
    arguments = ["--name", "y", "--evaluate.also", "[svamp:a]", "--sft.rows=null", "--skip_bad_rows", "true"]
    recipe = load_recipe(path, [*arguments, "--grpo.kl.place=loss", "--task=jsonl:a=b"])
    assert (recipe.name, recipe.evaluate.also, recipe.sft.rows) == ("y", ["svamp:a"], None)
    assert (recipe.skip_bad_rows, recipe.grpo.kl.place, recipe.task) == (True, "loss", "jsonl:a=b")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--grpo.group_sise", "8"], "unknown key grpo.group_sise; the nearest known key is grpo.group_size"),
        (["--grpo.steps"], "--grpo.steps needs a value"),
        (["grpo.steps", "8"], "unexpected argument 'grpo.steps'"),
        (["--grpo.steps", "["], "is not a valid value"),
        (["--name.x", "1"], "name is a value, not a group of settings"),
    ],
)
def test_bad_overrides(tmp_path: Path, arguments: list[str], words: str):
    assert words in refused(tmp_path, "name: x", *arguments)


def test_differences_name_the_keys():
    one = make_recipe({"name": "x"}, "here")
    other = make_recipe({"name": "x", "grpo": {"steps": 5, "loss": {"variant": "dapo"}}}, "here")
    found = differences(one, other)
    assert "grpo.steps: 100 -> 5" in found
    assert "grpo.loss.epsilon_high: 0.2 -> 0.28" in found
    assert not any(key.startswith("sft") for key in found)


def _undescribed(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _undescribed(kind, f"{prefix}{name}.")
        elif not field.description and name not in OBVIOUS:
            yield prefix + name


def test_every_key_is_described():
    assert list(_undescribed(Recipe)) == []


def test_reading_a_recipe_imports_nothing_heavy():
    code = (
        "import sys; from pathlib import Path; from reasonwright.recipe import load_recipe; import reasonwright.cli; "
        f"load_recipe(Path({str(ROOT / 'recipes' / 'demo.yaml')!r})); "
        "print(*sorted({'torch', 'transformers', 'numpy', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
