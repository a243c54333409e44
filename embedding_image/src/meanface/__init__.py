"""meanface: the mean face embedding of a photo collection of any size, exact to the last bit."""


def __getattr__(name: str) -> str:
    """Read `__version__` on demand: it takes longer than `--help` should."""
    if name == "__version__":
        from importlib.metadata import version

        return version("meanface")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
