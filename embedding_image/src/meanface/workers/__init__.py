"""Processes that embed photos: the pool, the sandbox each runs in, and reading ahead for them."""
