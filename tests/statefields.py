"""What a state has of each partition for the page, which reads it from Redis itself."""

from __future__ import annotations

from meanface.state import MemoryState, State
from meanface.state.redis import RedisState


def progress(state: State) -> dict[int, str]:
    """Last progress of each partition, JSON."""
    return _field(state, "_progress")


def failures(state: State) -> dict[int, str]:
    """Named failures of each partition, JSON."""
    return _field(state, "_failures")


def attempts(state: State) -> dict[str, str]:
    """What attempts did, by their own names, JSON."""
    if isinstance(state, MemoryState):
        return dict(state._attempts)
    assert isinstance(state, RedisState)
    return {name.decode(): text.decode() for name, text in state._client.hgetall(state._attempts).items()}


def _field(state: State, name: str) -> dict[int, str]:
    if isinstance(state, MemoryState):
        return dict(getattr(state, name))
    assert isinstance(state, RedisState)
    found = state._client.hgetall(getattr(state, name))
    return {int(partition): text.decode() for partition, text in found.items()}
