"""Statistics of embeddings: exact sums and what follows from them. Pure."""
