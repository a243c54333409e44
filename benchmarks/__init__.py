"""Figures that README and docs quote, measured: `make bench`."""
