"""The verb `extract`."""

from __future__ import annotations

import click

from .freeze import OUTPUTS, names
from .show import AS_JSON, WEIGHTS, show


@click.command()
@click.argument("path")
@click.argument("output")
@OUTPUTS
@click.option("--inputs", "-i", metavar="NAMES", help="Tensors at which to cut, separated by commas.")
@WEIGHTS
@AS_JSON
def extract(
    path: str, output: str, outputs: str | None, inputs: str | None, weights: str | None, as_json: bool
) -> None:
    """Cut out the part of a graph that some outputs need.

    With --inputs it begins at these tensors, which become placeholders. OUTPUT is written in the format of its suffix.
    """
    from ..api.model import load

    wanted = names(outputs)
    if wanted is None:
        raise click.UsageError(
            "Name the tensors to keep: --outputs NAME[,NAME...]. `cryograph inspect` lists likely ones."
        )
    part = load(path, weights).extract(wanted, names(inputs) or [])
    part.save(output)
    report = {"output": output, "nodes": len(part.graph)}
    show(report if as_json else f"{output}: {len(part.graph)} nodes", as_json)
