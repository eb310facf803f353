from __future__ import annotations

import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reasonwright.tasks import gsm8k, load_task
from reasonwright.types import UserError


def test_a_human_solution_becomes_a_thought(fixtures: Path) -> None:
    first, second, third = load_task(f"gsm8k:{fixtures / 'gsm8k'}").problems("sft")
    assert first.id == "gsm8k/train:1"
    assert first.solution == "Mira plants 6*14 = 84 tulips.\nAfter giving some away there are 84-9 = 75 left."
    assert (first.answer, first.difficulty, first.answer_kind) == ("75", 2, "number")
    assert second.answer == "7000"
    assert third.difficulty is None


def test_sft_and_rl_are_train_and_eval_is_test(fixtures: Path) -> None:
    task = load_task(f"gsm8k:{fixtures / 'gsm8k'}")
    assert task.problems("sft") == task.problems("rl", seed=5)
    assert {p.question for p in task.problems("rl")}.isdisjoint(p.question for p in task.problems("eval"))
    assert [p.answer for p in task.problems("eval")] == ["45", "-7"]
    assert len(task.problems("sft", 2)) == 2
    assert len(task.problems("sft", 99)) == 3
    with pytest.raises(UserError, match="no split 'pretrain'"):
        task.problems("pretrain")


def test_one_file_serves_what_its_name_says(fixtures: Path, tmp_path: Path) -> None:
    train, test = fixtures / "gsm8k" / "train.jsonl", fixtures / "gsm8k" / "test.jsonl"
    assert len(load_task(f"gsm8k:{train}").problems("rl")) == 3
    assert len(load_task(f"gsm8k:{test}").problems("eval")) == 2
    other = tmp_path / "gsm_plus.jsonl"
    other.write_bytes(test.read_bytes())
    assert len(load_task(f"gsm8k:{other}").problems("eval")) == 2
    for path, split in ((train, "eval"), (test, "sft"), (other, "rl")):
        with pytest.raises(UserError, match="by the file's name"):
            load_task(f"gsm8k:{path}").problems(split)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"question": "x?", "answer": "It is 4."}', "must be `#### ` and the answer"),
        ('{"question": "x?", "answer": "#### 4\\nso four"}', "must be `#### ` and the answer"),
        ('{"question": "x?", "answer": "two\\n#### two"}', "two"),
        ('{"question": "x?", "answer": 4}', "`answer` must be text"),
        ('{"answer": "#### 4"}', "column `question` is missing"),
    ],
)
def test_a_bad_row_has_its_line(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "test.jsonl"
    path.write_text(f'{{"question": "y?", "answer": "#### 3"}}\n{row}\n')
    with pytest.raises(UserError, match=r"test\.jsonl:2: ") as caught:
        load_task(f"gsm8k:{path}").problems("eval")
    assert message in str(caught.value)


def test_the_hub_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gsm8k.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'reasonwright\[hub\]'"):
        load_task("gsm8k").problems("eval")


class _Hub:
    """A `datasets` and a `huggingface_hub` of our own, so that no test needs the net."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, reachable: bool, cached: bool) -> None:
        self.asked: list[Any] = []
        hub, datasets = ModuleType("huggingface_hub"), ModuleType("datasets")

        class HfApi:
            def dataset_info(api, repo: str, timeout: float) -> None:  # noqa: N805
                self.asked.append((repo, timeout))
                if not reachable:
                    raise OSError("Name or service not known\nand 80 lines more")

        def load_dataset(repo: str, config: str, split: str) -> list[dict[str, str]]:
            self.asked.append((repo, config, split))
            if not cached:
                raise ConnectionError("Couldn't reach")
            return [{"question": f"{split}?", "answer": "1+1=<<1+1=2>>2\n#### 2"}]

        hub.HfApi, datasets.load_dataset = HfApi, load_dataset  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
        monkeypatch.setitem(sys.modules, "datasets", datasets)
        monkeypatch.setattr(gsm8k.importlib.util, "find_spec", lambda name: object())


def test_rows_from_the_hub_are_those_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hub = _Hub(monkeypatch, reachable=True, cached=True)
    (problem,) = load_task("gsm8k").problems("rl")
    assert (problem.id, problem.question, problem.solution) == ("gsm8k/train:1", "train?", "1+1=2")
    assert hub.asked == [("openai/gsm8k", 10), ("openai/gsm8k", "main", "train")]


def test_an_unreachable_hub_fails_at_once_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hub = _Hub(monkeypatch, reachable=False, cached=True)
    start = time.monotonic()
    with pytest.raises(UserError, match=r"can't be loaded from the hub \(Name or service not known\); name a folder"):
        load_task("gsm8k").problems("eval")
    assert time.monotonic() - start < 5
    assert len(hub.asked) == 1  # `datasets`, which retries, was never asked


def test_offline_reads_the_cache_and_never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub = _Hub(monkeypatch, reachable=False, cached=True)
    assert len(load_task("gsm8k").problems("eval")) == 1
    assert hub.asked == [("openai/gsm8k", "main", "test")]
    _Hub(monkeypatch, reachable=False, cached=False)
    with pytest.raises(UserError, match="not in the cache, and HF_HUB_OFFLINE is set"):
        load_task("gsm8k").problems("eval")


def test_all_real_rows(shared_data: Path) -> None:
    task = load_task(f"gsm8k:{shared_data / 'gsm8k'}")
    train, test = task.problems("sft"), task.problems("eval")
    assert (len(train), len(test)) == (7473, 1319)
    assert {p.question for p in train}.isdisjoint(p.question for p in test)
    everything = train + test
    assert not [p.id for p in everything if any(mark in (p.solution or "") for mark in ("<<", ">>", "####"))]
    assert not [p.id for p in everything if not p.solution or "," in p.answer]
    assert sum(p.difficulty is None for p in everything) == 95 + 18
    assert sum(p.difficulty == 2 for p in train) == 2175
