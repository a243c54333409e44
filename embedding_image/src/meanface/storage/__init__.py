"""Files on disk or in a bucket: their paths, atomic writes, checksums, and marked output folders."""
