"""What the documentation says: its commands are accepted, its code runs, its functions exist, its figures are those of
the run that it shows."""

from __future__ import annotations

import ast
import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from places import ROOT
from reasonwright.cli import _parser
from reasonwright.recipe import load_recipe
from reasonwright.tasks import TASKS

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])
FENCE = re.compile(r"^ *```(?P<kind>\w*)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:)(?P<target>[^)#]+)[^)]*\)")
CODE = re.compile(r"^Code: \[`(?P<name>\w+)`\]\((?P<file>[^)]+)\)$", re.MULTILINE)
PERCENT = re.compile(r"(\d+\.\d) %")
PATH = [page for page in PAGES if page.parent.name == "path" and page.stem != "results"]


def fences(page: Path, *kinds: str) -> list[str]:
    """The bodies of a page's fenced blocks of these kinds."""
    return [m["body"] for m in FENCE.finditer(page.read_text(encoding="utf-8")) if m["kind"] in kinds]


def commands() -> list[str]:
    """Every `reasonwright …` line of the fenced blocks."""
    lines = [
        line.strip()
        for page in PAGES
        for body in fences(page, "", "bash", "console", "sh")
        for line in body.split("\n")
    ]
    return sorted({line for line in lines if line.startswith("reasonwright ")})


def test_there_are_commands():
    assert len(commands()) > 25
    assert {line.split()[1] for line in commands()} >= {
        "run", "check", "sft", "grpo", "sample", "distill", "ablate", "evaluate", "behaviours", "report", "reproduce",
    }  # fmt: skip


@pytest.mark.parametrize("line", commands())
def test_a_command_is_accepted(line: str):
    """Its arguments parse, its recipe is there and takes the settings, its task exists."""
    arguments, overrides = _parser().parse_known_args(shlex.split(line)[1:])
    tasks = [getattr(arguments, "task", None)]
    if hasattr(arguments, "recipe"):
        recipe = load_recipe(ROOT / arguments.recipe, overrides)
        tasks = [recipe.task, *recipe.evaluate.also]
    else:
        assert not overrides
    for task in filter(None, tasks):
        assert task.partition(":")[0] in TASKS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_sessions_give_what_they_show(page: Path):
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    text = "\n".join(fences(page, "pycon"))
    runner.run(parser.get_doctest(text, {}, page.name, str(page), 0))
    assert runner.failures == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_blocks_run(page: Path):
    for body in fences(page, "python"):
        exec(compile(body, str(page), "exec"), {})


def test_the_example_task_keeps_its_splits_apart():
    names: dict = {}
    [body] = fences(DOCS / "howto" / "task.md", "python")
    exec(body, names)
    made = {split: names["Sums"]().problems(split, 50) for split in ("sft", "rl", "eval")}
    questions = {split: {p.question for p in problems} for split, problems in made.items()}
    assert all(len(found) == 50 for found in questions.values())
    assert not questions["eval"] & (questions["sft"] | questions["rl"])
    assert names["Sums"]().problems("rl", 50) == made["rl"]


def test_the_example_reward_tells_right_from_wrong():
    from reasonwright.types import Completion, Problem

    names: dict = {}
    [body] = fences(DOCS / "howto" / "reward.md", "python")
    exec(body, names)
    problem = Problem("1", "What is 2 + 2?", "4")

    def reward(text: str) -> float:
        return names["right_and_brief"](problem, Completion([1], [0.0], text, "stop"))

    assert reward("<think>\n2 + 2 = 4\n</think>\n\nThe answer is 4.") == 1.0
    assert reward("<think>\n" + "2 + 2 = 4\n" * 9 + "</think>\n\nThe answer is 4.") == 0.5
    assert reward("<think>\n2 + 2 = 4\n</think>\n\nThe answer is 5.") == 0.0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_and_figures_lead_somewhere(page: Path):
    for match in LINK.finditer(page.read_text(encoding="utf-8")):
        assert (page.parent / match["target"]).exists(), match[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_named_functions_exist(page: Path):
    for match in CODE.finditer(page.read_text(encoding="utf-8")):
        tree = ast.parse((page.parent / match["file"]).resolve().read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert match["name"] in names, match[0]


def test_every_stage_names_its_functions():
    assert sum(len(CODE.findall(page.read_text(encoding="utf-8"))) for page in PATH) >= 10


def test_percentages_of_the_path_are_those_of_the_run():
    """A new run is one command (`docs/make_figures.py`); this finds the sentences that still tell the old one."""
    results = set(re.findall(r"\d+\.\d", (DOCS / "path" / "results.md").read_text(encoding="utf-8")))
    told = {(page.stem, figure) for page in PATH for figure in PERCENT.findall(page.read_text(encoding="utf-8"))}
    assert len(told) > 12
    assert {(page, figure) for page, figure in told if figure not in results} == set()


@pytest.mark.parametrize("figure", sorted((DOCS / "figures").glob("*.svg")), ids=lambda path: path.stem)
def test_a_figure_stands_alone(figure: Path):
    """Well-formed, small, asking for nothing, and shown somewhere."""
    text = figure.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert len(text) < 40_000
    assert "<script" not in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert any(figure.name in page.read_text(encoding="utf-8") for page in PAGES)


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        assert str(page.relative_to(DOCS)) in navigation


@pytest.mark.slow
def test_figures_are_made_from_a_run(tmp_path: Path):
    """All stages of the smoke recipe, and the figures of that run."""
    run = tmp_path / "run"
    for line in (
        [sys.executable, "-m", "reasonwright", "run", "recipes/smoke.yaml", "--out", str(run)],
        [
            sys.executable,
            "-c",
            f"import make_figures as m, pathlib as p; m.main(*map(p.Path, {[str(run), str(tmp_path)]}))",
        ],
    ):
        subprocess.run(line, check=True, cwd=DOCS if "-c" in line else ROOT, timeout=900)
    made = {path.name for path in (tmp_path / "figures").glob("*.svg")}
    assert made == {path.name for path in (DOCS / "figures").glob("*.svg")}
    assert "seed 0" in (tmp_path / "path" / "results.md").read_text(encoding="utf-8")
