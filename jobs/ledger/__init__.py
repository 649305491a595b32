"""Batches stored, and who may write them. Every file is created if absent and never overwritten."""
