"""The stages of a run (plan, embed, reduce); each is one command of the image."""

from meanface.pipeline.embed import embed
from meanface.pipeline.plan import plan
from meanface.pipeline.reduce import reduce

__all__ = ["embed", "plan", "reduce"]
