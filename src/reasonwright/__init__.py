"""Teach a small language model to reason: SFT, GRPO with verifiable rewards, rejection sampling and distillation."""

__version__ = "0.1.0"
