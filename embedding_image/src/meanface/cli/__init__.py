"""The command line: commands, options and output."""

import os

# Pydantic would search all installed distributions for plugins, which takes a fifth of the time of `--help`.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
