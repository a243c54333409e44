"""The three stages of a run, each one command of the image: plan, embed, reduce."""

from meanface.stages.embed import embed
from meanface.stages.plan import plan
from meanface.stages.reduce import reduce

__all__ = ["embed", "plan", "reduce"]
