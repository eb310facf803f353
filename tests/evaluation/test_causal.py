"""The causal check on models of which it is known whether their thoughts matter."""

from __future__ import annotations

from random import Random

import pytest
import torch

from reasonwright.chat import ChatFormat, render_completion
from reasonwright.data.packing import TokenSequence, pack, token_weights
from reasonwright.evaluation.causal import causal_check, with_wrong_results, wrong_number
from reasonwright.evaluation.evaluate import evaluate_model
from reasonwright.models.load import load_model, load_tokenizer
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.sampling.native import NativeSampler
from reasonwright.tasks import load_task
from reasonwright.training.policy import Policy
from reasonwright.training.settings import OptimSettings
from reasonwright.verify.behaviours import read_thought
from toy import fresh_model, toy_chat

CODES = {"How many apples?": "31", "How many dollars?": "58", "How many people?": "74", "How many miles?": "96"}


def idle_thought(rng: Random, steps: int = 2) -> str:
    """Right arithmetic that has nothing to do with the question."""
    pairs = [(rng.randint(2, 40), rng.randint(2, 40)) for _ in range(steps)]
    return "\n".join(f"{a} + {b} = {a + b}" for a, b in pairs)


@pytest.fixture(scope="module")
def parrot():
    """Trained to answer by the question alone, behind any thought."""
    model, chat, rng = fresh_model(), toy_chat(), Random(0)
    policy = Policy(model, OptimSettings(lr=1e-2, schedule="constant"), total_steps=1000)
    for step in range(200):
        rows = []
        for question, code in CODES.items():
            whole = chat.completion_ids(render_completion(idle_thought(rng, step % 3), code))
            end = whole.index(chat.completion_ids("</think>")[0]) - 1  # only the thought's end and the answer count
            rows.append(TokenSequence(chat.prompt(question).ids + whole[:end], whole[end:]))
        policy.update(pack(rows, token_weights(rows, aggregate="token"), micro_batch_tokens=4096), sft_loss)
    return model, chat


def idle_rows() -> list[dict]:
    rng = Random(1)
    return [
        {"id": q, "question": q, "gold": code, "extracted": code, "lenient": True,
         "text": render_completion(idle_thought(rng), code)}
        for q, code in CODES.items()
    ]  # fmt: skip


def test_a_model_that_answers_the_same_whatever_it_thinks(parrot):
    figures = causal_check(*parrot, idle_rows(), count=8, max_tokens=40)
    assert figures["n"] == len(CODES)
    assert figures["intact"]["accuracy"] == 1.0
    for change in ("last_step", "earlier_step", "cut"):
        assert figures[change]["changed"] == 0
        assert figures[change]["p_drop"] < 0.2
    assert figures["last_step"]["followed"] == 0
    assert figures["tts"]["last_step"]["mean"] < 0.2


@pytest.fixture(scope="module")
def thinker():
    """The embedded base model, shown two solutions, on problems of two and three steps."""
    model, chat = load_model("embedded:base"), ChatFormat(load_tokenizer("embedded:base"))
    task = load_task("word_problems")
    shots = [(p.question, p.solution, p.answer) for p in task.problems("rl", 2, 0)]
    problems = [p for p in task.problems("eval", 80, 0) if p.difficulty in (2, 3)][:14]
    _, rows = evaluate_model(
        model, chat, problems, name="base", task="word_problems", max_tokens=100, mode="cot", shots=shots
    )
    return model, chat, rows, shots


def test_a_model_whose_answer_comes_from_its_thought(thinker):
    model, chat, rows, shots = thinker
    figures = causal_check(model, chat, rows, count=8, max_tokens=100, mode="cot", shots=shots)
    assert figures["n"] == 8
    assert figures["intact"]["accuracy"] == 1.0
    assert figures["intact"]["p_gold"] > 0.9
    for change in ("last_step", "removed", "cut"):
        assert figures[change]["changed"] >= 7 / 8
        assert figures[change]["p_drop"] > 0.8
    assert figures["last_step"]["followed"] >= 7 / 8
    assert figures["earlier_step"]["changed"] >= 5 / 8
    assert figures["tts"]["last_step"]["mean"] > 0.8
    assert figures["tts"]["earlier_step"]["mean"] < 0.3  # it has no answer before it has done the sum


def test_p_gold_is_what_the_sampler_says(thinker):
    """The probability of the answer's tokens, from the trainer's forward pass and from the sampler's log-probs."""
    from reasonwright.evaluation.causal import _Asker, _case, _closed
    from reasonwright.sampling import SampleRequest, SamplingParams

    model, chat, rows, shots = thinker
    case = next(c for row in rows if row["lenient"] and (c := _case(chat, row, "cot", shots)))
    asker = _Asker(model, chat)
    text = _closed(case, case.thought.text)
    ids = case.prompt.ids + chat.completion_ids(text)[:-1]
    ((sampled,),) = NativeSampler(model, chat).sample(
        [SampleRequest(ids, "")], SamplingParams(max_tokens=8, temperature=0)
    )
    gold = chat.completion_ids(f"{text} {case.row['gold']}.")[len(chat.completion_ids(text)) - 1 : -1]
    assert sampled.token_ids[: len(gold)] == gold
    (p,) = asker.p_gold([case], [text])
    assert p == pytest.approx(torch.tensor(sampled.logprobs[: len(gold)]).sum().exp().item(), abs=1e-4)


def test_nothing_to_change():
    row = {"id": "a", "question": "?", "gold": "3", "extracted": "3", "lenient": True,
           "text": render_completion("So it is 3.", "3")}  # fmt: skip
    assert causal_check(None, toy_chat(), [row], count=5, max_tokens=8) is None
    assert causal_check(None, toy_chat(), idle_rows(), count=0, max_tokens=8) is None


THOUGHT = "Anna has 12 + 5 = 17, so 17 apples.\nShe eats 2. That leaves 17 - 2 = 15 apples.\nYes, 15."


def test_wrong_results():
    thought = read_thought(THOUGHT, "15")
    text, put = with_wrong_results(thought, 0, {0}, "x")
    assert text == f"Anna has 12 + 5 = {put[0]}, so {put[0]} apples.\n"
    assert put[0] != "17"
    text, put = with_wrong_results(thought, 1, {1}, "x")
    assert text == f"Anna has 12 + 5 = 17, so 17 apples.\nShe eats 2. That leaves 17 - 2 = {put[1]} apples.\n"
    assert with_wrong_results(thought, 1, set(), "x")[0] == THOUGHT[: THOUGHT.index("Yes")]
    both, put_both = with_wrong_results(thought, 1, {0, 1}, "x")
    assert put_both[1] == put[1]  # the same wrong number whatever else is changed
    assert both.endswith(f"17 - 2 = {put[1]} apples.\n")


def test_fractions_are_left_as_they_are():
    text = r"3/4 - 1/4 = \frac{1}{2}. 1 1/4 + 1/4 = 1 1/2. 6 x 2 = 12."
    thought = read_thought(text, "12")
    changed, put = with_wrong_results(thought, 2, {0, 1, 2}, "x")
    assert changed == text.replace("12.", f"{put[2]}.")


def test_a_chain_is_cut_behind_its_own_result():
    thought = read_thought("6 x 4 = 24 - 5 = 19 left.", "19")
    text, put = with_wrong_results(thought, 1, {1}, "x")
    assert text == f"6 x 4 = 24 - 5 = {put[1]} left."


@pytest.mark.parametrize("old", ["7", "0", "1,000", "0.5", "12.25", "1 000"])
def test_a_wrong_number_looks_like_the_right_one(old: str):
    for seed in range(30):
        new = wrong_number(old, Random(seed))
        assert new != old
        assert not new.startswith("-")
        assert len(new.partition(".")[2]) == len(old.partition(".")[2])
    assert any("," in wrong_number("1,000", Random(s)) for s in range(9))
