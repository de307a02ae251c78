"""The verb `inspect`."""

from __future__ import annotations

import click

from .show import AS_JSON, WEIGHTS, show


@click.command()
@click.argument("path")
@WEIGHTS
@click.option("--tensor", metavar="NAME", help="Print the values and statistics of one variable or constant.")
@AS_JSON
def inspect(path: str, weights: str | None, tensor: str | None, as_json: bool) -> None:
    """Say what a file is, holds and lacks.

    Likely inputs and outputs are listed, the likeliest first, with the reason; these names are what other verbs take.
    What is lacking is named with the file beside it that would supply it.
    """
    from ..api.inspection import summarize
    from ..api.model import load
    from ..api.values import value_summary

    model = load(path, weights)
    show(value_summary(model, tensor) if tensor else summarize(model, path), as_json)
