"""Lists of photos as tables: CSV, TSV, JSON Lines, text and Parquet."""
