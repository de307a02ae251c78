"""The verb `demo`: the main job on a model that the package ships."""

from __future__ import annotations

import click

SHADES = " .:-=+*#%@"
"""How dark a pixel is, in letters."""


@click.command()
@click.option(
    "--directory", metavar="DIR", default="cryograph-demo", show_default=True, help="Where to write the result."
)
def demo(directory: str) -> None:
    """Join a small graph with its checkpoint into one file, read that back, and classify pictures with it."""
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
        _classify(predict, source)


def _classify(predict: object, source: object) -> None:
    """Shows each sample picture with what the model takes it for."""
    import os
    from typing import Any, cast

    import numpy as np

    samples = np.load(os.path.join(str(source), "samples.npz"))
    images, labels = samples["image"], samples["label"]
    answers = cast(Any, predict)({"image": images})["probabilities"]
    taken = answers.argmax(axis=1)
    for start in range(0, len(images), 6):
        chosen = range(start, min(start + 6, len(images)))
        for row in range(images.shape[1]):
            lines = ["".join(SHADES[int(v * (len(SHADES) - 1))] * 2 for v in images[i, row, :, 0]) for i in chosen]
            click.echo("   " + " ".join(lines))
        notes = (f"{taken[i]} ({answers[i].max():.0%})" for i in chosen)
        click.echo("   " + " ".join(f"{note:<{2 * images.shape[2]}}" for note in notes).rstrip())
    right = int((taken == labels).sum())
    click.echo(f"   {right} of {len(labels)} pictures are classified right.")
