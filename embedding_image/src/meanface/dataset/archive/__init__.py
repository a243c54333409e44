"""Photos inside tar and zip files, alone or as shards."""
