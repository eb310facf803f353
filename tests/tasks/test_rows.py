"""Every fault of a file is an error with file and line, or is counted and left out."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from reasonwright.tasks import load_task
from reasonwright.types import UserError

GOOD = b'{"id": "g%d", "question": "What is 1 + %d?", "answer": %d}\n'

FAULTS = {
    "broken JSON": (b'{"question": "x", \n', "broken JSON"),
    "bad UTF-8": (b'{"question": "caf\xe9", "answer": 1}\n', "byte 18 is not UTF-8"),
    "not an object": (b"[1, 2]\n", "must be a JSON object {…}, this is a list"),
    "missing column": (b'{"question": "x?"}\n', "column `answer` is missing"),
    "no question": (b'{"answer": 1}\n', "exactly one of `question`, `prompt` and `messages`"),
    "two forms": (b'{"question": "x?", "prompt": "y?", "answer": 1}\n', "this has `question` and `prompt`"),
    "wrong type of question": (
        b'{"question": 5, "answer": 1}\n',
        "`question` must be text in quotes, this is a number",
    ),
    "wrong type of answer": (b'{"question": "x?", "answer": [1]}\n', "`answer` must be text in quotes, this is a list"),
    "a truth as answer": (b'{"question": "x?", "answer": true}\n', "`answer` must be text"),
    "empty question": (b'{"question": "  ", "answer": 1}\n', "`question` is empty"),
    "half a character": (b'{"question": "\\ud800?", "answer": 1}\n', "lone surrogate"),
    "gold that is no number": (b'{"question": "x?", "answer": "blue"}\n', '"answer_kind": "text"'),
    "unknown answer_kind": (b'{"question": "x?", "answer": 1, "answer_kind": "int"}\n', "number, text, latex"),
    "NaN": (b'{"question": "x?", "answer": NaN}\n', "NaN is not JSON"),
    "a column twice": (b'{"question": "x?", "answer": 1, "answer": 2}\n', "given twice"),
    "a monstrous number": (b'{"question": "x?", "answer": 1e999999}\n', "more than a thousand digits"),
    "5,000 digits": (b'{"question": "x?", "answer": ' + b"1" * 5000 + b"}\n", "thousands of digits"),
    "a deep nest": (b'{"question": ' + b"[" * 100_000 + b"\n", "broken JSON"),
    "duplicate id": (b'{"id": "g1", "question": "x?", "answer": 1}\n', "`id` is that of line 1"),
    "tags in the solution": (b'{"question": "x?", "answer": 1, "solution": "<think>a</think>"}\n', "without <think>"),
    "prompt alone": (b'{"prompt": "x?"}\n', "column `completion` is missing"),
    "a system message": (
        b'{"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]}\n',
        "not (system, user)",
    ),
    "messages that are none": (b'{"messages": "hello"}\n', "`messages` must be a list"),
}


def _write(path: Path, fault: bytes) -> Path:
    path.write_bytes(GOOD % (1, 1, 2) + b"\n" + fault + GOOD % (2, 2, 3))
    return path


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_file_and_line(tmp_path: Path, name: str) -> None:
    fault, message = FAULTS[name]
    path = _write(tmp_path / "sft.jsonl", fault)
    with pytest.raises(UserError) as caught:
        load_task(f"jsonl:{path}").problems("sft")
    assert str(caught.value).startswith(f"{path}:3: ")  # the blank line before it is counted
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_skipped_and_counted(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    path = _write(tmp_path / "train.jsonl", FAULTS[name][0])
    task = load_task(f"jsonl:{path}", skip_bad_rows=True)
    with caplog.at_level(logging.WARNING, "reasonwright"):
        assert [problem.answer for problem in task.problems("sft")] == ["2", "3"]
        task.problems("sft")
    assert len(caplog.records) == 1  # said once, not once a call
    assert f"{path}: skipped 1 bad rows of 3; the first: {path}:3: " in caplog.text


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "sft.jsonl"
    for content in (b"", b"\n \n"):
        path.write_bytes(content)
        for skip in (False, True):
            with pytest.raises(UserError, match=r"sft\.jsonl: the file is empty"):
                load_task(f"jsonl:{path}", skip_bad_rows=skip).problems("sft")


def test_nothing_but_bad_rows_is_an_error_even_when_skipping(tmp_path: Path) -> None:
    path = tmp_path / "sft.jsonl"
    path.write_bytes(b"{}\n{}\n")
    with pytest.raises(UserError, match=r"no row is usable; .*sft\.jsonl:1: "):
        load_task(f"jsonl:{path}", skip_bad_rows=True).problems("sft")


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "sft.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + (GOOD % (1, 1, 2)).replace(b"\n", b"\r\n"))
    assert [problem.question for problem in load_task(f"jsonl:{path}").problems("sft")] == ["What is 1 + 1?"]


def test_a_json_list_names_its_row(tmp_path: Path) -> None:
    path = tmp_path / "SVAMP.json"
    path.write_text('[{"Body": "A.", "Question": "B?", "Answer": 1.0}, {"Body": "A.", "Question": "B?"}]')
    with pytest.raises(UserError, match=r"SVAMP\.json: row 2: column `Answer` is missing"):
        load_task(f"svamp:{path}").problems("eval")
    assert len(load_task(f"svamp:{path}", skip_bad_rows=True).problems("eval")) == 1
    path.write_text('{"Body": "A."}')
    with pytest.raises(UserError, match="a JSON list of rows was expected, this is an object"):
        load_task(f"svamp:{path}").problems("eval")
