"""Every stage on GSM8K, with a model folder that somebody else made.

A random model gets nothing right, and rejection sampling would rightly stop. So two training problems are learned by
heart, and the same two are what GRPO and rejection sampling ask; the evaluation is of the test split.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from commands import SMOKE
from places import ROOT
from reasonwright.chat import ChatFormat
from reasonwright.cli import main
from reasonwright.data.packing import pack, token_weights
from reasonwright.models.forward import batch_logprobs
from reasonwright.models.load import load_model, load_tokenizer
from reasonwright.runlog import read_json, read_jsonl
from reasonwright.tasks import load_task
from reasonwright.training.sft import encode_rows

MODELS = ("sft", "grpo", "distill/student_sft", "distill/student")
ROWS = 2
SETTINGS = {
    "sft.rows": ROWS, "sft.epochs": 45, "sft.batch_size": ROWS, "sft.eval_every": 0, "sft.checkpoint_every": 50,
    "sft.optim.lr": "1e-2", "grpo.problems": ROWS, "grpo.steps": 2, "grpo.problems_per_step": 2,
    "grpo.group_size": 2, "grpo.max_tokens": 80, "grpo.temperature": 0.3, "grpo.eval_every": 0,
    "rejection.problems": ROWS, "rejection.temperature": 0.3,
    "rejection.solutions_per_problem": 4, "rejection.max_tokens": 80, "distill.epochs": 2, "distill.batch_size": 2,
    "evaluate.problems": 2, "evaluate.max_tokens": 6, "evaluate.base_shots": 1, "evaluate.also": "[]",
}  # fmt: skip


def random_folder(folder: Path, tokenizer: PreTrainedTokenizerFast, family: str, hidden: int) -> Path:
    """A folder as one finds it on the hub: no chat template, no generation config of ours."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": hidden, "intermediate_size": 2 * hidden, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": hidden // 4, "max_position_embeddings": 1024,
        "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    model = Qwen3ForCausalLM(Qwen3Config(**sizes)) if family == "qwen3" else LlamaForCausalLM(LlamaConfig(**sizes))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def whole_run(tmp: Path, data: Path, tokenizer: PreTrainedTokenizerFast, family: str) -> None:
    teacher = random_folder(tmp / "teacher", tokenizer, family, 64)
    student = random_folder(tmp / "student", tokenizer, family, 32)
    assert AutoTokenizer.from_pretrained(teacher).chat_template is None
    values = {"task": f"gsm8k:{data}", "model": teacher, "student": student} | SETTINGS
    argv = ["run", str(SMOKE), "--out", str(tmp / "run"), "--force"]  # all is learned by heart, nothing left for GRPO
    argv += [part for key, value in values.items() for part in (f"--{key}", str(value))]
    main(argv)
    run = tmp / "run"

    test = [json.loads(line) for line in (data / "test.jsonl").read_text(encoding="utf-8").splitlines()][:2]
    for stage, figures in read_json(run / "summary.json")["stages"].items():
        answers = read_jsonl(run / "eval" / f"{stage}.jsonl")
        assert [a["question"] for a in answers] == [row["question"].strip() for row in test], stage
        assert [a["id"] for a in answers] == ["gsm8k/test:1", "gsm8k/test:2"]
        assert [a["gold"] for a in answers] == [r["answer"].rpartition("#### ")[2].replace(",", "") for r in test]
        assert figures["n"] == 2
    kept = read_jsonl(run / "rejection" / "kept.jsonl")
    assert kept
    train = (data / "train.jsonl").read_text(encoding="utf-8").splitlines()[:ROWS]
    assert {row["question"] for row in kept} <= {json.loads(line)["question"].strip() for line in train}
    assert not any("<<" in row["text"] for row in kept)  # the calculator marks are gone
    assert [row["step"] for row in read_jsonl(run / "grpo" / "metrics.jsonl")] == [0, 1]
    assert read_jsonl(run / "grpo" / "metrics.jsonl")[0]["accuracy"] > 0

    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    began = time.perf_counter()
    main(argv)  # goes on, and finds nothing to do
    assert time.perf_counter() - began < 10
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before

    for name in MODELS:
        same_as_plain_transformers(run / name, data, teacher, family)


def same_as_plain_transformers(folder: Path, data: Path, start: Path, family: str) -> None:
    chat = ChatFormat(load_tokenizer(str(folder)))
    rows = encode_rows(load_task(f"gsm8k:{data}").problems("sft", 2), chat, 1024)
    theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    assert theirs.config.model_type == family
    tokenizer, first = AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(start)
    ours = load_model(str(folder))
    (batch,) = pack(rows, token_weights(rows, aggregate="token", loss_on="all"), micro_batch_tokens=9999, loss_on="all")
    with torch.no_grad():
        logprobs, _ = batch_logprobs(ours, batch)
        for i, row in enumerate(rows):
            ids = torch.tensor([[*row.prompt_ids, *row.completion_ids]])
            logits = theirs(ids).logits
            assert torch.equal(logits, ours(ids).logits)
            expected = logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None]).squeeze(1)
            torch.testing.assert_close(logprobs[batch.sequence_ids == i], expected, atol=1e-3, rtol=0)
            text = chat.decode(row.completion_ids)
            assert tokenizer(text).input_ids == first(text).input_ids == row.completion_ids[:-1]  # what was trained on


@pytest.mark.parametrize("family", ["qwen3", pytest.param("llama", marks=pytest.mark.slow)])
def test_gsm8k_with_a_tokenizer_of_50_277(tmp_path: Path, shared_data: Path, family: str):
    file = shared_data / "tokenizer_neox" / "tokenizer.json"
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(file), eos_token="<|endoftext|>")
    assert len(tokenizer) == 50277
    whole_run(tmp_path, shared_data / "gsm8k", tokenizer, family)


@pytest.mark.parametrize("family", ["llama"])
def test_gsm8k_in_small(tmp_path: Path, fixtures: Path, family: str):
    """Our own rows in the same format, so that this always runs; the tokenizer is the embedded models'."""
    file = ROOT / "src" / "reasonwright" / "models" / "embedded" / "tiny" / "tokenizer.json"
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(file), eos_token="<|endoftext|>")
    whole_run(tmp_path, fixtures / "gsm8k", tokenizer, family)
