"""Tells whoever wants to know how many bytes have been streamed, without threading a callback through every floor.

Streams call `advance`; a face that draws a bar listens with `watch`. Nobody listens by default, and then it costs
nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Listener = Callable[[int], object]
"""Takes the number of bytes that were streamed since the last call."""

_listener: ContextVar[Listener | None] = ContextVar("cryograph_progress", default=None)


def advance(nbytes: int) -> None:
    """Says that `nbytes` more have been streamed."""
    listener = _listener.get()
    if listener is not None:
        listener(nbytes)


@contextlib.contextmanager
def watch(listener: Listener) -> Iterator[None]:
    """Lets `listener` hear of all that is streamed inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
