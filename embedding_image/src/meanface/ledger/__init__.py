"""The plan of a run and its records: manifest, photo lists, chunks, commits."""
