"""Measure the figures in README and docs: `make bench`, `make bench-scale`, `make bench-soak`."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
