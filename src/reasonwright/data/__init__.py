"""Token sequences into packed batches."""
