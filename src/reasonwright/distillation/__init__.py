"""Stage 3: rejection sampling and distillation."""
