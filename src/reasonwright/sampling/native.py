"""Sampling on the trainer's own weights: no copy, no second engine, and the log-probabilities agree with training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from reasonwright.chat import ChatFormat
from reasonwright.sampling.base import SampleRequest, SamplingParams
from reasonwright.sampling.decoder import make_decoder
from reasonwright.types import Completion

MAX_ROWS = 512
CACHE_BYTES = 2 * 2**30
COMPACT_BELOW = 0.75
"""Finished rows are taken out of the batch once the live ones are under this share: each removal copies the cache."""
STOP_CHECK_EVERY = 8

Progress = Callable[[int], None]


class NativeSampler:
    """A `Sampler` on a Hugging Face model that is also being trained.

    Groups share one prefill of their prompt; finished completions leave the batch.
    """

    def __init__(self, model: Any, chat: ChatFormat, max_rows: int = MAX_ROWS):
        self.model, self.chat, self.max_rows = model, chat, max_rows

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
        results: list[list[Completion | None]] = [[None] * params.n for _ in requests]
        was_training = self.model.training
        self.model.eval()
        try:
            while jobs:
                rows = self._fitting(jobs, requests, params.max_tokens)
                batch, jobs = jobs[:rows], jobs[rows:]
                for (i, j), completion in zip(batch, self._run(batch, requests, params, on_token), strict=True):
                    results[i][j] = completion
                if on_done:
                    on_done(rows)
        finally:
            self.model.train(was_training)
        return results  # type: ignore[return-value]

    def _fitting(self, jobs: list[tuple[int, int]], requests: Sequence[SampleRequest], max_tokens: int) -> int:
        """How many of the jobs fit in one batch: within max_rows and the cache's bytes."""
        config = self.model.config.get_text_config()
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        per_token = 2 * config.num_hidden_layers * heads * head * self.model.dtype.itemsize
        rows = 0
        for i, _ in jobs[: self.max_rows]:
            if rows and (rows + 1) * (len(requests[i].prompt_ids) + max_tokens) * per_token > CACHE_BYTES:
                break
            rows += 1
        group = sum(i == jobs[0][0] for i, _ in jobs[:rows])
        return rows - rows % group if rows < len(jobs) and group < rows else rows  # groups stay whole where they fit

    def _run(self, jobs, requests, params: SamplingParams, on_token) -> list[Completion]:
        device = self.model.device
        stop_ids = torch.tensor(sorted(self.chat.stop_ids), device=device)
        prompts = list(dict.fromkeys(i for i, _ in jobs))
        ids, lengths = _left_pad([requests[i].prompt_ids for i in prompts], self.chat.end_id)
        place = {i: p for p, i in enumerate(prompts)}
        owner = torch.tensor([place[i] for i, _ in jobs], device=device)  # [R] which prompt each row continues
        decoder = make_decoder(self.model)
        R, T = len(jobs), params.max_tokens
        logits = decoder.prefill(ids.to(device), lengths.to(device), owner, T)
        uniforms = torch.from_numpy(np.stack([_uniforms(params.seed, requests[i].key, j, T) for i, j in jobs]))
        uniforms = uniforms.to(device)
        tokens = torch.zeros(R, T, dtype=torch.long, device=device)
        logprobs = torch.zeros(R, T, device=device)
        length = torch.full((R,), T, device=device)
        stopped = torch.zeros(R, dtype=torch.bool, device=device)
        rows = torch.arange(R, device=device)  # which completion each row of the decoder is
        for t in range(T):
            picked, logprob = pick_tokens(logits, uniforms[rows, t], params)
            tokens[rows, t], logprobs[rows, t] = picked, logprob
            if on_token:
                on_token(int(picked[0]))
            ended = torch.isin(picked, stop_ids) & ~stopped[rows]
            if params.stop and t % STOP_CHECK_EVERY == STOP_CHECK_EVERY - 1:
                ended |= self._hit_stop_text(tokens[rows, : t + 1], params.stop) & ~stopped[rows]
            stopped[rows[ended]] = True
            length[rows[ended]] = t + 1
            alive = ~stopped[rows]
            live = int(alive.sum())
            if live == 0 or t == T - 1:
                break
            if live <= COMPACT_BELOW * len(rows):
                index = alive.nonzero().squeeze(1)
                decoder.keep(index)
                rows, picked = rows[index], picked[index]
            logits = decoder.step(picked)
        return [
            self._completion(
                tokens[r, : length[r]].tolist(), logprobs[r, : length[r]].tolist(), bool(stopped[r]), params
            )
            for r in range(R)
        ]

    def _hit_stop_text(self, tokens: torch.Tensor, stop: tuple[str, ...]) -> torch.Tensor:
        window = STOP_CHECK_EVERY + max(len(s.encode()) for s in stop)  # a token holds a byte at least
        tails = [self.chat.decode(row[-window:]) for row in tokens.tolist()]
        return torch.tensor([any(s in tail for s in stop) for tail in tails], device=tokens.device)

    def _completion(self, ids: list[int], logprobs: list[float], stopped: bool, params: SamplingParams) -> Completion:
        text = self.chat.decode(ids)
        cut = min((at for s in params.stop if (at := text.find(s)) >= 0), default=None)
        reason = "stop" if stopped or cut is not None else "length"
        return Completion(ids, logprobs, text if cut is None else text[:cut], reason)  # type: ignore[arg-type]


def pick_tokens(logits: torch.Tensor, uniforms: torch.Tensor, params: SamplingParams):
    """Draw a token a row by inverting the cumulative distribution at the row's uniform number.

    Args: logits: [R, V]; uniforms: [R] float64 in [0, 1). Returns: (tokens [R], their log-probabilities [R] float32).
    """
    logits = logits.float()
    if params.temperature == 0:
        tokens = logits.argmax(-1)
        return tokens, torch.log_softmax(logits, -1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    logits = _truncate(logits / params.temperature, params.top_k, params.top_p)
    logprobs = torch.log_softmax(logits, -1)
    # float64: in float32 a cumulative sum over 151,000 tokens is off by more than the rarest tokens' probability
    cdf = logprobs.exp().double().cumsum(-1)
    tokens = torch.searchsorted(cdf, (uniforms * cdf[:, -1]).unsqueeze(-1), right=True).squeeze(-1)
    tokens = tokens.clamp(max=logits.shape[-1] - 1)
    return tokens, logprobs.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


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


def _left_pad(prompts: list[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[P, S] ids and [P] lengths."""
    S = max(len(p) for p in prompts)
    ids = torch.tensor([[pad] * (S - len(p)) + list(p) for p in prompts])
    return ids, torch.tensor([len(p) for p in prompts])
