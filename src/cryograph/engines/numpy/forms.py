"""Rules that are others in another form: with attributes left out, or told by tensors."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

import numpy as np

from .context import Context, Rule


def of_signature(adapted: Any, rule: Rule) -> Rule:
    """Lets an adapted rule declare what the rule that it is made of declares."""
    adapted.__wrapped__ = rule
    made: Rule = adapted
    return made


def taking(rule: Rule, **attrs: Any) -> Rule:
    """A rule that takes attributes by any name declares these, and their defaults."""
    found = signature(rule)
    inputs = [p for p in found.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    named = [Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in attrs.items()]
    rule.__signature__ = found.replace(parameters=[*inputs, *named])  # type: ignore[attr-defined]
    return rule


def narrowed(rule: Rule, *left_out: str, **defaults: Any) -> Rule:
    """A rule that does not take some attributes, or has other defaults: values of what is left out are handed on."""
    found = signature(rule)
    kept = [
        p.replace(default=defaults[p.name]) if p.name in defaults else p
        for p in found.parameters.values()
        if p.name not in left_out
    ]

    def made(*given: Any, **attrs: Any) -> Any:
        return rule(*given, **{**defaults, **attrs})

    made.__signature__ = found.replace(parameters=kept)  # type: ignore[attr-defined]
    return made


def gathered(rule: Rule, kind: type) -> Rule:
    """A rule whose last input is all of its attributes: they are the fields of a dataclass."""
    found = signature(rule)
    inputs = list(found.parameters.values())[:-1]

    def made(*given: Any, **attrs: Any) -> Any:
        return rule(*given, kind(**attrs))

    attributes = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in signature(kind).parameters.values()]
    made.__signature__ = found.replace(parameters=[*inputs, *attributes])  # type: ignore[attr-defined]
    return made


def by_shape(rule: Rule, place: int) -> Rule:
    """A rule that is given a tensor, of which only the shape matters, in place of its sizes."""

    def made(ctx: Context, *inputs: Any, **attrs: Any) -> Any:
        sizes = np.array(inputs[place].shape, np.int64)
        return rule(ctx, *inputs[:place], sizes, *inputs[place + 1 :], **attrs)

    made.__signature__ = signature(rule)  # type: ignore[attr-defined]
    return made


def by_tensors(rule: Rule, *names: str) -> Rule:
    """A rule that is given lists of numbers as its last inputs, which are attributes of an older version."""
    found = signature(rule)
    kept = [p for p in found.parameters.values() if p.name not in names]
    inputs = [p for p in kept if p.kind is not Parameter.KEYWORD_ONLY]
    inputs += [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]

    def made(ctx: Context, *given: Any, **attrs: Any) -> Any:
        told = {name: list(ctx.sizes(x)) for name, x in zip(names, given[-len(names) :], strict=True)}
        return rule(ctx, *given[: -len(names)], **told, **attrs)

    parameters = [*inputs, *(p for p in kept if p.kind is Parameter.KEYWORD_ONLY)]
    made.__signature__ = found.replace(parameters=parameters)  # type: ignore[attr-defined]
    return made
