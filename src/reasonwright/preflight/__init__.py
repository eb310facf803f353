"""Before GRPO: would it learn anything? Findings with their mends, from a sample of what it would meet."""
