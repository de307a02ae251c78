"""Boxes cut out of pictures, all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..numpy.context import Rule
from ..numpy.crops import crops
from .context import JaxContext


def _each(ctx: JaxContext, crop: Callable[[Any, Any], Any], boxes: Any, sources: Any) -> Any:
    return ctx.jax.vmap(crop)(ctx.xp.asarray(boxes), ctx.xp.asarray(sources))


RULES: dict[str, Rule] = {"CropAndResize": crops(_each)}
