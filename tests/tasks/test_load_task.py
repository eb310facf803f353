from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reasonwright.tasks import TASKS, load_task
from reasonwright.types import UserError


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gms8k", "no task 'gms8k'; the nearest is 'gsm8k'"),
        ("word_problem", "nearest is 'word_problems'"),
        ("", "no task ''"),
        ("word_problems:x", "takes no path"),
        ("jsonl", "write jsonl:PATH"),
        ("svamp:", "write svamp:PATH"),
        ("reasoning_gym", "write reasoning_gym:NAME"),
        ("reasoning_gym:chian_sum", "no task 'chian_sum'; the nearest is 'chain_sum'"),
        ("gsm8k:/no/such/place", "there is no file or folder /no/such/place"),
        ("jsonl:/no/such/place", "there is no file or folder /no/such/place"),
        ("math500:/no/such/place", "there is no file /no/such/place"),
    ],
)
def test_a_wrong_spec_is_refused_with_the_mend(spec: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_task(spec)
    assert message in str(caught.value)


def test_a_folder_without_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file .*SVAMP\.json"):
        load_task(f"svamp:{tmp_path}")
    with pytest.raises(UserError, match=r"test\.jsonl is missing"):
        load_task(f"gsm8k:{tmp_path}").problems("eval")
    with pytest.raises(UserError, match=r"neither eval\.jsonl nor test\.jsonl"):
        load_task(f"jsonl:{tmp_path}").problems("eval")


def test_every_task_has_a_line_of_description() -> None:
    assert all(info.description and "\n" not in info.description for info in TASKS.values())


def test_naming_the_tasks_imports_nothing_heavy() -> None:
    code = (
        "import sys; from reasonwright.tasks import TASKS, load_task; "
        "heavy = {'torch', 'transformers', 'reasoning_gym', 'datasets', 'numpy'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
