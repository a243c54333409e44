"""The plan of a run and the records of its work: manifest, photo lists, chunks, commits."""
