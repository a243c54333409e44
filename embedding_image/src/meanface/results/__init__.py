"""Results: their files, statistics and report, and the commands that read them back."""
