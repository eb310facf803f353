"""Which evaluation questions count as known from training."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from reasonwright.preflight.overlap import HALF, N, find_overlap
from reasonwright.tasks import load_task
from reasonwright.tasks.splits import normalise_question

STORY = (
    "Anna has {a} apples in a basket by the door. Her brother brings {b} more from the garden behind the house, and "
    "they give half of all to a neighbour who has none. How many apples are left in the basket?"
)


def words(question: str) -> list[str]:
    return question.replace(".", "").replace("?", "").replace(",", "").split()


def test_the_same_question_in_other_clothes_is_exact():
    found = find_overlap([STORY.format(a=4, b=6)], [STORY.format(a=4, b=6).upper() + "  "])
    assert found.exact == [STORY.format(a=4, b=6).upper() + "  "]
    assert (found.near, found.evaluated, found.trained) == ([], 1, 1)


def test_other_numbers_are_another_question():
    """All wording in common, and 12 of 32 n-grams hold a number: told, not counted."""
    found = find_overlap([STORY.format(a=4, b=6)], [STORY.format(a=5, b=6)])
    assert (found.exact, found.near, found.worded_alike) == ([], [], 1)
    swapped = find_overlap(["What is 4 - 1?"], ["What is 1 - 4?", "What is 4 + 1?"])
    assert (swapped.exact, swapped.near, swapped.worded_alike) == ([], [], 0)


def test_one_changed_word_is_near():
    changed = STORY.replace("neighbour", "friend").format(a=4, b=6)
    assert find_overlap([STORY.format(a=4, b=6)], [changed]).near == [changed]
    many = STORY.replace("neighbour", "friend").replace("garden", "field").replace("are left", "stay").format(a=4, b=6)
    assert find_overlap([STORY.format(a=4, b=6)], [many]).near == []


def test_near_is_by_one_training_question():
    """Two that each hold half of the wording are not a copy."""
    text = STORY.format(a=4, b=6)
    half = text.index("garden")
    found = find_overlap([text[:half] + "0 4 6 x", "4 6 " + text[half - 60 :] + " 0"], [text])
    assert found.near == []
    assert found.worded_alike == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from(["pear", "7", "garden", "4"]))
def test_near_agrees_with_counting_by_hand(at: int, other: int, word: str):
    train = words(STORY.format(a=4, b=6))
    asked = list(train)
    asked[at % len(asked)] = word
    asked[other % len(asked)] = "door"
    trained, question = " ".join(train), " ".join(asked)
    grams = {tuple(asked[i : i + N]) for i in range(len(asked) - N + 1)}
    grams = {tuple(w.lower() for w in gram) for gram in grams}
    own = {tuple(w.lower() for w in train[i : i + N]) for i in range(len(train) - N + 1)}
    numbers = [sorted(w for w in text if w.isdigit()) for text in (train, asked)]
    same = normalise_question(trained) == normalise_question(question)
    near = numbers[0] == numbers[1] and len(grams & own) >= HALF * len(grams) and not same
    found = find_overlap([trained], [question])
    assert found.near == ([question] if near else [])
    assert found.exact == ([question] if same else [])


def test_the_splits_of_the_generator_do_not_overlap():
    """They share their wording by design; no question of the evaluation is in training."""
    task = load_task("word_problems")
    training = [p.question for split in ("sft", "rl") for p in task.problems(split, 500, 0)]
    evaluation = [p.question for p in task.problems("eval", 300, 0)]
    found = find_overlap(training, evaluation)
    assert found.exact == []
    assert len(found.near) <= 3
    assert find_overlap([*training, evaluation[7]], evaluation).exact == [evaluation[7]]


def test_nothing_in_common():
    found = find_overlap(["How many legs has a cow?"], ["What is the capital of France?"])
    assert (found.exact, found.near, found.worded_alike) == ([], [], 0)
