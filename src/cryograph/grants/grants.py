"""What a caller may grant by name, and the rules that the reference engine is lent for it."""

from __future__ import annotations

from collections.abc import Iterable

from ..base.errors import UnknownNameError, nearest
from ..engines.numpy.context import Rule
from ..ops.care import GRANTABLE
from .file_ops import file_rules
from .remapping_ops import remapping_rules
from .saver_ops import saver_rules
from .touch import Touch, anything


def granted_rules(allow: Iterable[str], touch: Touch = anything) -> dict[str, Rule]:
    """The rules of the ops that are granted, none for none. `touch` is asked for each path.

    UnknownNameError for an op that cannot be granted.
    """
    wanted = list(allow)
    if not wanted:
        return {}
    for op in wanted:
        if op not in GRANTABLE:
            raise UnknownNameError(f"The op {op!r} cannot be granted." + nearest(op, sorted(GRANTABLE)))
    rules = {**file_rules(touch), **remapping_rules(touch), **saver_rules(touch)}
    return {op: rules[op] for op in wanted}
