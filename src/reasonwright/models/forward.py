"""A packed batch through a Hugging Face model."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from reasonwright.models.attention import FAMILIES, packs_flat, segments_of
from reasonwright.models.precision import autocast
from reasonwright.objectives.logprobs import chunked_logprobs, selected_logprobs
from reasonwright.types import Batch


def block_causal_mask(segment_ids: torch.Tensor) -> torch.Tensor:
    """[B, 1, T, T] bool: a position sees the earlier positions of its own segment.

    Padding (segment 0) sees itself among padding, so that no row of the softmax is empty.
    """
    T = segment_ids.shape[1]
    same = segment_ids.unsqueeze(2) == segment_ids.unsqueeze(1)
    causal = torch.ones(T, T, dtype=torch.bool, device=segment_ids.device).tril()
    return (same & causal).unsqueeze(1)


def _attention_mask(config: Any, segment_ids: torch.Tensor):
    """What the model's layers take; a mask that is handed in replaces the sliding window that they know of."""
    full = block_causal_mask(segment_ids)
    window = getattr(config, "sliding_window", None)
    if window is None or not getattr(config, "use_sliding_window", True):
        return full
    slots = torch.arange(segment_ids.shape[1], device=segment_ids.device)
    near = full & (slots[:, None] - slots < window)
    if getattr(config, "layer_types", None) is None:  # Mistral: all layers alike
        return near
    return {"full_attention": full, "sliding_attention": near}


def _embed(model: Any, token_ids: torch.Tensor) -> torch.Tensor:
    """The tokens' embeddings [B, T, H].

    Where the head has the same weights, autograd would make a second gradient as large as the head's, zeros but for
    these tokens' rows, and add the two. The rows are added to the head's in place: `backward()` has it by then.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    weight = embedding.weight
    if weight is not head.weight or not weight.requires_grad or not torch.is_grad_enabled():
        return embedding(token_ids)
    rows = F.embedding(token_ids, weight.detach()).requires_grad_()

    def add(grad: torch.Tensor) -> None:
        if embedding.padding_idx is not None:  # whose row has no gradient
            grad = grad.masked_fill((token_ids == embedding.padding_idx).unsqueeze(-1), 0)
        if grad.is_cuda:
            weight.grad.index_put_((token_ids,), grad, accumulate=True)
        else:  # of the two, on either device the one whose sums have always the same order
            weight.grad.index_add_(0, token_ids.flatten(), grad.flatten(0, 1))

    rows.register_hook(add)
    return rows


def batch_logprobs(model: Any, batch: Batch, temperature: float = 1.0):
    """Log-probabilities of a batch's targets at the sampler's temperature.

    Returns: (logprobs [B, T] float32, 0 where `loss_mask` is False; entropy [] summed over trained tokens, no graph).
    """
    inputs: dict[str, Any] = {"input_ids": batch.input_ids, "use_cache": False}
    if batch.segments is not None:
        assert packs_flat(model)
        inputs["position_ids"] = batch.position_ids
        inputs["segments"] = segments_of(batch.segments, batch.input_ids.device)
        inputs["attention_mask"] = torch.empty(1, 1, 1, 1)  # transformers would make one of [T, T] by itself
    elif int(batch.segment_ids.max()) > 1:  # else one sequence a row: plain causal attention, padding behind it
        inputs["position_ids"] = batch.position_ids
        inputs["attention_mask"] = _attention_mask(model.config, batch.segment_ids)
    mask = batch.loss_mask
    with autocast(model):
        if model.config.model_type in FAMILIES:
            inputs["inputs_embeds"] = _embed(model, inputs.pop("input_ids"))
            hidden = model.get_decoder()(**inputs).last_hidden_state
            weight = model.get_output_embeddings().weight
            picked, entropy = chunked_logprobs(hidden[mask], weight, batch.targets[mask], temperature)
        else:
            picked, entropy = selected_logprobs(model(**inputs).logits[mask], batch.targets[mask], temperature)
    logprobs = torch.zeros(mask.shape, dtype=torch.float32, device=mask.device).masked_scatter(mask, picked)
    return logprobs, entropy.sum()
