"""Completions from a model. Names follow vLLM: SamplingParams, n, max_tokens, temperature, finish_reason."""

from reasonwright.sampling.base import Sampler, SampleRequest, SamplingParams

__all__ = ["SampleRequest", "Sampler", "SamplingParams"]
