"""meanface: the mean face embedding of a photo collection of any size, exact to the last bit."""

from importlib.metadata import version

__version__ = version("meanface")
