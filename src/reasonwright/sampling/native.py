"""Sampling on the trainer's own weights: no copy, no second engine, and the log-probabilities agree with training.

Completions are rows of one running batch: those that end leave it, and waiting ones enter (continuous batching, Yu et
al., Orca, OSDI 2022), so that a long completion holds up nobody. Axes: N completions, R rows, T max_tokens, V
vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from reasonwright.chat import ChatFormat
from reasonwright.sampling.base import SampleRequest, SamplingParams
from reasonwright.sampling.decoder import Decoder, fill_holes, make_decoder
from reasonwright.sampling.weights import SamplingWeights
from reasonwright.types import Completion

MAX_ROWS = 512
CACHE_BYTES = 2 * 2**30
COMMON_LEAST = 64
"""Tokens that all prompts must begin with for these to be read and kept only once."""
REFILL_AT = 0.25
"""New rows enter once this share of the places is free: prompts are read faster together."""
STOP_CHECK_EVERY = 8
"""Tokens between searches for stop texts."""
BLOCK = 64
"""Tokens whose probabilities are summed together before one of them is drawn."""
LOOK_EVERY = {"cuda": 8}
"""Tokens between looks at which rows have ended, else 1: on a GPU a look waits for all work before it."""

Progress = Callable[[int], None]
Job = tuple[int, int]
"""(index of the request, index of the completion in its group)"""


class NativeSampler:
    """A `Sampler` on a Hugging Face model that is also being trained. The cache is kept between calls, and so is the
    place of the weights' copies where the model computes in another type than theirs."""

    def __init__(self, model: Any, chat: ChatFormat, max_rows: int = MAX_ROWS):
        self.model, self.chat, self.max_rows = model, chat, max_rows
        self.decoder = make_decoder(model)
        self.weights = SamplingWeights(model)

    @torch.inference_mode()
    def sample(
        self,
        requests: Sequence[SampleRequest],
        params: SamplingParams,
        on_done: Progress | None = None,
        on_token: Callable[[int], None] | None = None,
    ) -> list[list[Completion]]:
        """See `Sampler.sample`. `on_done(k)` hears of every k finished completions; `on_token(id)` of each token, for
        a single completion (chat)."""
        jobs = [(i, j) for i in range(len(requests)) for j in range(params.n)]
        # Long prompts last and together: little padding. Groups stay together, since they share their prompt.
        jobs.sort(key=lambda job: (len(requests[job[0]].prompt_ids), job[0]))
        was_training = self.model.training
        self.model.eval()
        try:
            with self.weights.in_place():
                done = self._run(jobs, requests, params, on_done, on_token) if jobs else {}
        finally:
            self.model.train(was_training)
        return [[done[i, j] for j in range(params.n)] for i in range(len(requests))]

    def _run(
        self,
        jobs: list[Job],
        requests: Sequence[SampleRequest],
        params: SamplingParams,
        on_done: Progress | None,
        on_token: Callable[[int], None] | None,
    ) -> dict[Job, Completion]:
        device, N, T = self.model.device, len(jobs), params.max_tokens
        look_every = LOOK_EVERY.get(device.type, 1)
        stop_ids = torch.tensor(sorted(self.chat.stop_ids), device=device)
        places = self._reserve(jobs, requests, params, T + look_every)
        tokens = torch.zeros(N, T, dtype=torch.long, device=device)
        logprobs = torch.zeros(N, T, device=device)
        uniforms = torch.zeros(N, T, dtype=torch.float64, device=device)
        length = torch.zeros(N, dtype=torch.long, device=device)
        stopped = torch.zeros(N, dtype=torch.bool, device=device)
        rows = torch.zeros(0, dtype=torch.long, device=device)  # [R] which completion each row of the decoder is
        logits = torch.zeros(0, device=device)  # [R, V]
        admitted = looked = 0
        while True:
            free = places - len(rows)
            if admitted < N and (len(rows) == 0 or (self.decoder.free_prompts and free >= max(1, REFILL_AT * places))):
                new = self._admit(jobs, requests, admitted, free, uniforms, params)
                logits = new if len(rows) == 0 else torch.cat((logits, new))
                rows = torch.cat((rows, torch.arange(admitted, admitted + len(new), device=device)))
                admitted += len(new)
            at = length[rows].clamp(max=T - 1)  # rows that have ended, until somebody looks, write nothing
            running = ~stopped[rows] & (length[rows] < T)
            picked, logprob = pick_tokens(logits, uniforms[rows, at], params)
            tokens[rows, at] = torch.where(running, picked, tokens[rows, at])
            logprobs[rows, at] = torch.where(running, logprob, logprobs[rows, at])
            length[rows] += running
            stopped[rows] |= running & torch.isin(picked, stop_ids)
            looked += 1
            if on_token and bool(running[0]):
                on_token(int(picked[0]))
            if params.stop and looked % STOP_CHECK_EVERY == 0:
                stopped[rows] |= self._hit_stop_text(tokens[rows], length[rows].tolist(), params.stop)
            if looked % look_every == 0:
                alive = (~stopped[rows] & (length[rows] < T)).cpu().numpy()
                if not alive.all():
                    if on_done:
                        on_done(int((~alive).sum()))
                    if not alive.any() and admitted == N:
                        break
                    order = fill_holes(alive)
                    self.decoder.keep(order)
                    index = torch.from_numpy(order).to(device)
                    rows, picked = rows[index], picked[index]
            if len(rows):
                logits = self.decoder.step(picked)
        ids, scores, ends = tokens.tolist(), logprobs.tolist(), length.tolist()
        return {
            job: self._completion(ids[r][: ends[r]], scores[r][: ends[r]], bool(stopped[r]), params)
            for r, job in enumerate(jobs)
        }

    def _reserve(self, jobs: list[Job], requests: Sequence[SampleRequest], params: SamplingParams, tokens: int) -> int:
        """Make room for as many rows as may be on their way together."""
        most = min(self.max_rows, len(jobs))
        common = common_start([request.prompt_ids for request in requests]) if self.decoder.shares_prompts else ()
        width = max(len(request.prompt_ids) for request in requests) - len(common)
        rows, prompts, _ = cache_room(self.model.config, self.decoder, most, params.n, width, tokens)
        self.decoder.reserve(rows, prompts, width, tokens, common)
        return rows

    def _admit(
        self,
        jobs: list[Job],
        requests: Sequence[SampleRequest],
        start: int,
        free: int,
        uniforms: torch.Tensor,
        params: SamplingParams,
    ) -> torch.Tensor:
        """Let the next jobs in, whole groups where they fit; logits [rows, V] of their first tokens."""
        n = params.n
        end = min(len(jobs), start + free)
        if end < len(jobs):
            whole = end - end % n  # jobs are sorted by group, n each
            end = whole if whole > start else end
        counts: dict[int, int] = {}
        for i, _ in jobs[start:end]:
            if i not in counts and len(counts) == self.decoder.free_prompts:
                break
            counts[i] = counts.get(i, 0) + 1
        end = start + sum(counts.values())
        numbers = [_uniforms(params.seed, requests[i].key, j, params.max_tokens) for i, j in jobs[start:end]]
        uniforms[start:end] = torch.from_numpy(np.stack(numbers)).to(uniforms.device)
        return self.decoder.add([requests[i].prompt_ids for i in counts], list(counts.values()))

    def _hit_stop_text(self, tokens: torch.Tensor, lengths: list[int], stop: tuple[str, ...]) -> torch.Tensor:
        window = STOP_CHECK_EVERY + max(len(s.encode()) for s in stop)  # a token holds a byte at least
        tails = [self.chat.decode(row[max(0, n - window) : n]) for row, n in zip(tokens.tolist(), lengths, strict=True)]
        return torch.tensor([any(s in tail for s in stop) for tail in tails], device=tokens.device)

    def _completion(self, ids: list[int], logprobs: list[float], stopped: bool, params: SamplingParams) -> Completion:
        text = self.chat.decode(ids)
        cut = min((at for s in params.stop if (at := text.find(s)) >= 0), default=None)
        reason = "stop" if stopped or cut is not None else "length"
        return Completion(ids, logprobs, text if cut is None else text[:cut], reason)  # type: ignore[arg-type]


def common_start(prompts: Sequence[Sequence[int]]) -> Sequence[int]:
    """The tokens that all prompts begin with, such as worked examples; none where there are too few to be worth it. A
    token is left to each prompt: its logits are needed."""
    first, last = min(map(list, prompts)), max(map(list, prompts))  # what these two share, all share
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    same = min(same, len(first) - 1)
    return first[:same] if same >= COMMON_LEAST else ()


def cache_room(config: Any, decoder: Decoder, most: int, n: int, width: int, tokens: int) -> tuple[int, int, int]:
    """(rows, prompts, bytes) of the decoder's key-value cache: at most `most` rows and, where one row allows,
    CACHE_BYTES.

    Args: n: completions a prompt; width, tokens: of the longest prompt and completion.
    """
    config = config.get_text_config()
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    per_token = 2 * config.num_hidden_layers * heads * head * decoder.cache_dtype.itemsize
    # a prompt is kept once a group, but longer than most of its completions: twice the room of full groups
    prompt_share = min(1, 2 / n) * width if decoder.shares_prompts else width
    rows = max(1, min(int(CACHE_BYTES / (per_token * (tokens + prompt_share))), most))
    prompts = min(rows, 2 * rows // n + 2)
    return rows, prompts, per_token * (rows * tokens + (prompts if decoder.shares_prompts else rows) * width)


def pick_tokens(logits: torch.Tensor, uniforms: torch.Tensor, params: SamplingParams):
    """Draw a token a row by inverting the cumulative distribution at the row's uniform number.

    Args: logits: [R, V]; uniforms: [R] float64 in [0, 1). Returns: (tokens [R], their log-probabilities [R] float32).
    """
    logits = logits.float()
    if params.temperature == 0:
        tokens = logits.argmax(-1)
        return tokens, torch.log_softmax(logits, -1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    logits = _truncate(logits / params.temperature, params.top_k, params.top_p)
    probs = torch.softmax(logits, -1)
    tokens = _invert(probs, uniforms)
    return tokens, probs.gather(-1, tokens.unsqueeze(-1)).squeeze(-1).log()


def _invert(probs: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """[R] the first token at which the cumulative probability exceeds the row's uniform number: first its block, then
    its place there, which is several times as fast as one cumulative sum over the vocabulary.

    Sums are float64: in float32 one over 151,000 tokens is off by more than the rarest tokens' probability. Of a row
    that is not a number it is some token, with which training finds out and says so.
    """
    V = probs.shape[-1]
    padded = F.pad(probs, (0, -V % BLOCK)) if V % BLOCK else probs  # F.pad copies even where nothing is missing
    blocks = padded.unflatten(-1, (-1, BLOCK))
    mass = blocks.sum(-1, dtype=torch.float64)
    cumulative = mass.cumsum(-1)
    target = _below(uniforms.unsqueeze(-1) * cumulative[:, -1:], cumulative)
    block = torch.searchsorted(cumulative, target, right=True).clamp(max=cumulative.shape[-1] - 1)
    before = cumulative.gather(-1, block) - mass.gather(-1, block)
    cumulative = blocks[torch.arange(len(blocks), device=blocks.device), block.squeeze(-1)].double().cumsum(-1)
    place = torch.searchsorted(cumulative, _below(target - before, cumulative), right=True)
    return (block * BLOCK + place).squeeze(-1).clamp(max=V - 1)


def _below(target: torch.Tensor, cumulative: torch.Tensor) -> torch.Tensor:
    """`target`, where rounding took it to the total or beyond, just below it: what is found has a probability."""
    return torch.minimum(target, cumulative[:, -1:] * (1 - 2**-52))


def _truncate(logits: torch.Tensor, top_k: int, top_p: float) -> torch.Tensor:
    """Logits with all but the `top_k` largest and the smallest set of mass `top_p` (Holtzman et al., arXiv:1904.09751)
    at minus infinity."""
    if top_k > 0:
        kth = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if top_p < 1:
        ordered, index = logits.sort(dim=-1, descending=True)
        probs = ordered.softmax(-1)
        outside = probs.cumsum(-1) - probs >= top_p  # the mass before a token; the first is always inside
        logits = logits.masked_fill(outside.scatter(-1, index, outside), -torch.inf)
    return logits


def _uniforms(seed: int, key: str, index: int, count: int) -> np.ndarray:
    """The random numbers of one completion: a counter-based stream named by (seed, key, index)."""
    digest = hashlib.sha256(f"{seed}/{key}/{index}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little"))).random(count)
