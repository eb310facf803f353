from __future__ import annotations

import pytest

from reasonwright.chat import render_completion
from reasonwright.types import UserError, Verdict
from reasonwright.verify import check_gold, grade

T = "<think>\na\n</think>\n\n"


@pytest.mark.parametrize(
    ("text", "gold", "strict", "lenient", "extracted"),
    [
        (T + "The answer is olleh.", "olleh", True, True, "olleh."),
        (T + 'The answer is: **"True"**.', "True", True, True, '**"True"**.'),
        (T + "The answer is 3, 1, 2.", "3, 1, 2", True, True, "3, 1, 2."),
        (T + "The answer is a  b\tc.", "a b c", True, True, "a  b\tc."),
        (T + "The answer is 1 2\n3 4.", "1 2\n3 4", True, True, "1 2\n3 4."),
        (T + "The answer is He left. She stayed.", "He left. She stayed.", True, True, "He left. She stayed."),
        (T + r"The answer is \boxed{\text{True}}.", "true", True, True, r"\text{True}"),
        ("The answer is olleh.", "olleh", False, True, "olleh."),
        ("olleh", "olleh", False, True, "olleh"),
        (T + "<answer> olleh </answer> I hope.", "olleh", False, True, "olleh"),
        (T + "Hm. The answer is olleh.", "olleh", False, True, "olleh."),
        (T + "The answer is olleh. I hope.", "olleh", False, False, "olleh. I hope."),
        (T + "The answer is hello.", "olleh", False, False, "hello."),
        (T + "The answer is 3, 2, 1.", "3, 1, 2", False, False, "3, 2, 1."),
        (r"\boxed{True} \boxed{False}", "False", False, False, None),
        ("<think>olleh</think>", "olleh", False, False, None),
        ("<think>The answer is olleh.", "olleh", False, False, None),
        ("", "olleh", False, False, None),
        ("The answer is", "is", False, False, None),
    ],
)
def test_verdict(text: str, gold: str, strict: bool, lenient: bool, extracted: str | None) -> None:
    assert grade(text, gold, "text") == Verdict(strict, lenient, extracted)


@pytest.mark.parametrize(
    "gold", ["olleh", "True", "a. b. c", "...", '"', "**", "x = 3", "x\ny\n\nz", "#", "¡Ünï!", "}{"]
)
def test_the_gold_scores_in_the_form(gold: str) -> None:
    check_gold(gold, "text")
    assert grade(render_completion("a", gold), gold, "text").strict
    assert not grade(render_completion(gold, "wrong"), gold, "text").lenient


def test_empty_gold_is_an_error() -> None:
    with pytest.raises(UserError, match="empty"):
        check_gold(" \n", "text")
    with pytest.raises(UserError, match="empty"):
        grade("", "", "text")
