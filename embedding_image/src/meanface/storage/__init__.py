"""Files on disk or in a bucket: paths, atomic writes, checksums, and marked output folders."""
