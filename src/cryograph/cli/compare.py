"""The verbs `diff` and `verify`, whose exit code is their answer."""

from __future__ import annotations

import click

from .show import AS_JSON, show


@click.command()
@click.argument("first")
@click.argument("second")
@click.option(
    "--tolerance", type=float, default=0.0, metavar="X", help="Numbers that differ by at most X count as equal."
)
@AS_JSON
def diff(first: str, second: str, tolerance: float, as_json: bool) -> int:
    """Compare two models or checkpoints.

    What one has and the other lacks is listed, and what differs. Exit code 1 when they differ.
    """
    from ..api.comparison import diff as compare
    from ..api.model import load

    difference = compare(load(first), load(second), tolerance)
    show(difference, as_json)
    return 0 if difference.is_empty else 1


@click.command()
@click.argument("path")
@AS_JSON
def verify(path: str, as_json: bool) -> int:
    """Check a file for damage.

    Sizes, checksums, names, edges and types are looked at. Exit code 1 when something is wrong.
    """
    from ..api.inspection import size_on_disk
    from ..api.verification import verify as check
    from .show import progress

    with progress(f"reading {path}", size_on_disk(path)):
        report = check(path)
    show(report, as_json)
    return 0 if report.is_sound else 1
