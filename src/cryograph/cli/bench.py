"""The verb `bench`."""

from __future__ import annotations

import click

from .freeze import OUTPUTS, names
from .show import AS_JSON, WEIGHTS, show


@click.command()
@click.argument("path")
@click.option(
    "--input",
    "-i",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="What to feed, as for `run`; inputs that are not named are filled at random.",
)
@OUTPUTS
@WEIGHTS
@click.option("--engines", metavar="NAMES", help="Which engines, with commas; all that are installed without.")
@click.option(
    "--batch", type=click.IntRange(1), metavar="N", default=1, show_default=True, help="The size of an open batch."
)
@AS_JSON
def bench(
    path: str,
    inputs: tuple[str, ...],
    outputs: str | None,
    weights: str | None,
    engines: str | None,
    batch: int,
    as_json: bool,
) -> None:
    """Measure how fast a model runs on each engine that is installed.

    Engines take turns, so that what else the machine does meets all alike. The first column is the time to compile
    the model and to answer once, the second the median of the runs after that.
    """
    from ..api.benching import bench as measure
    from ..api.model import load
    from ..api.values import parse_feeds

    model = load(path, weights)
    feeds = parse_feeds(inputs, model.compile(names(outputs)).inputs) if inputs else {}
    show(measure(model, feeds, names(outputs), names(engines), batch), as_json)
