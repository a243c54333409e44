"""The three stages of a run, each one command of the image: plan, embed, reduce."""

from meanface.pipeline.embed import embed
from meanface.pipeline.plan import plan
from meanface.pipeline.reduce import reduce

__all__ = ["embed", "plan", "reduce"]
