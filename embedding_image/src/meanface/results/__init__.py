"""What a run found: its result files, the report, and the commands that read results back."""
