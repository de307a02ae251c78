"""What verbs share: options, printing text or JSON, and a bar for work that takes more than a second."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
WEIGHTS = click.option(
    "--weights", metavar="PATH", help="A checkpoint, .npz or .safetensors file to join the graph with."
)
ENGINE = click.option(
    "--engine",
    metavar="NAME",
    default="auto",
    show_default=True,
    help="auto, numpy, onnxruntime, openvino, jax or fastest.",
)


def show(value: Any, as_json: bool) -> None:
    """Prints a value: its text, or JSON (by its own `to_json` where it has one)."""
    if not as_json:
        click.echo(str(value))
    elif hasattr(value, "to_json"):
        click.echo(value.to_json())
    else:
        click.echo(json.dumps(value, indent=2))


@contextlib.contextmanager
def progress(what: str, nbytes: int) -> Iterator[None]:
    """A bar for the streaming of `nbytes` bytes, drawn when it takes more than a second and a person looks on; one
    plain line at its end when nobody does."""
    from tqdm import tqdm

    from ..base.progress import watch

    terminal = sys.stderr.isatty()
    with (
        tqdm(
            total=nbytes or None, desc=what, unit="B", unit_scale=True, delay=1.0, disable=not terminal, leave=False
        ) as bar,
        watch(bar.update),
    ):
        yield


@contextlib.contextmanager
def counting() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each of several counts that come one after the other, which is told (what, how many now, how many in
    all); drawn as by `progress`."""
    from tqdm import tqdm

    terminal = sys.stderr.isatty()
    bars: dict[str, Any] = {}

    def count(what: str, now: int, total: int) -> None:
        if what not in bars:
            close()
            bars[what] = tqdm(total=total, desc=what, unit="", delay=1.0, disable=not terminal, leave=False)
        bars[what].update(now)
        if bars[what].n >= total:
            close()

    def close() -> None:
        for bar in bars.values():
            bar.close()

    try:
        yield count
    finally:
        close()
