"""Loading, saving and running Hugging Face models."""
