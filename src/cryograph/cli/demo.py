"""The verb `demo`: the main job on a model that the package ships."""

from __future__ import annotations

from typing import Any

import click

SHADES = " .:-=+*#%@"
"""How dark a pixel is, in letters that people see."""
LEVELS = ".123456789@"
"""How dark a pixel is in the file of pictures: tenths, from 0 to 1."""
ACROSS = 5
"""Pictures side by side."""


@click.command()
@click.option(
    "--directory", metavar="DIR", default="cryograph-demo", show_default=True, help="Where to write the result."
)
def demo(directory: str) -> None:
    """Show it all on a small model that comes along.

    A graph is joined with its checkpoint into one file; that is read back, and classifies pictures.
    """
    import os
    from importlib.resources import as_file, files

    from ..api.inspection import human, size_on_disk
    from ..api.model import load
    from ..base.files import make_dir

    with as_file(files("cryograph") / "data" / "demo") as source:
        graph, checkpoint = source / "graph.pbtxt", source / "digits-3000"
        click.echo("1. A graph without weights, and a checkpoint without a graph")
        model = load(graph)
        click.echo(f"   graph.pbtxt: {len(model.graph)} nodes, {len(model.variables)} variables without a value")
        click.echo(f"   digits-3000: {len(load(checkpoint).variables)} arrays by name")
        click.echo("2. Joined, cut down to the answer, and written as one file")
        make_dir(directory)
        path = os.path.join(directory, "digits.pb")
        frozen = load(graph, weights=checkpoint).freeze("probabilities")
        frozen.save(path)
        click.echo(f"   {path}: {len(frozen.graph)} nodes, {human(size_on_disk(path))}, weights included")
        click.echo("3. Read back and run, as another program would")
        click.echo(f'   predict = cryograph.load("{path}").compile("probabilities")')
        predict = load(path).compile("probabilities")
        _classify(predict, (source / "pictures.txt").read_text("utf-8"), (source / "labels.txt").read_text().split())


def _classify(predict: Any, pictures: str, labels: list[str]) -> None:
    """Shows each picture with what the model takes it for."""
    import numpy as np

    names, images = read_pictures(pictures)
    answers = predict({"image": np.array(images, np.float32)[..., None]})["probabilities"]
    taken = [labels[index] for index in answers.argmax(axis=1)]
    for start in range(0, len(names), ACROSS):
        chosen = range(start, min(start + ACROSS, len(names)))
        for row in range(len(images[0])):
            click.echo(
                "   " + "  ".join("".join(SHADES[round(9 * v)] * 2 for v in images[i][row]) for i in chosen).rstrip()
            )
        click.echo("   " + "  ".join(f"{taken[i]} ({answers[i].max():.0%})".ljust(16) for i in chosen).rstrip())
    right = sum(name == answer for name, answer in zip(names, taken, strict=True))
    click.echo(f"   {right} of {len(names)} pictures are classified right.")


def read_pictures(text: str) -> tuple[list[str], list[list[list[float]]]]:
    """Names and pixels (0 to 1) of drawings: a name, then rows of letters; `#` starts a comment."""
    names: list[str] = []
    images: list[list[list[float]]] = []
    for line in text.splitlines():
        if line and not set(line) <= set(LEVELS) and not line.startswith("#"):
            names.append(line)
            images.append([])
        elif line and not line.startswith("#"):
            images[-1].append([LEVELS.index(letter) / 10 for letter in line])
    return names, images
