"""The verbs `freeze` and `unfreeze`: weights into the graph, and out of it again."""

from __future__ import annotations

import click

from .show import AS_JSON, progress, show

OUTPUTS = click.option("--outputs", "-o", metavar="NAMES", help="Tensors to keep, separated by commas.")


def names(text: str | None) -> list[str] | None:
    """The names in a comma-separated list; None when there is none."""
    return [name.strip() for name in text.split(",") if name.strip()] if text else None


@click.command()
@click.argument("path")
@click.argument("output")
@click.option(
    "--weights",
    metavar="PATH",
    help="The checkpoint, or a .npz or .safetensors file, when it does not lie beside the graph.",
)
@OUTPUTS
@click.option("--tags", metavar="TAGS", help="Which MetaGraph of a SavedModel, by its tags.")
@AS_JSON
def freeze(path: str, output: str, weights: str | None, outputs: str | None, tags: str | None, as_json: bool) -> None:
    """Join a graph and its weights in one file.

    PATH is the graph, OUTPUT the file to write: a .pb, or what else its suffix names. Only what the outputs need is
    kept, without the training; without --outputs these are the likeliest ones, where they are clear.
    """
    from ..api.inspection import constant_bytes, human
    from ..api.model import load

    frozen = load(path, weights, names(tags)).freeze(names(outputs))
    nbytes = constant_bytes(frozen.graph)
    with progress(f"writing {output}", nbytes):
        frozen.save(output)
    report = {"output": output, "nodes": len(frozen.graph), "constant_bytes": nbytes}
    show(report if as_json else f"{output}: {len(frozen.graph)} nodes, {human(nbytes)} of constants", as_json)


@click.command()
@click.argument("path")
@click.argument("output")
@click.option("--names", "globs", metavar="GLOBS", help="Constants to turn into variables, separated by commas.")
@AS_JSON
def unfreeze(path: str, output: str, globs: str | None, as_json: bool) -> None:
    """Make a frozen graph trainable again.

    Its weights become variables: OUTPUT is a .meta, and a checkpoint of the same name lies beside it.
    """
    from ..api.inspection import human
    from ..api.model import load

    thawed = load(path).unfreeze(names(globs))
    nbytes = sum(v.nbytes for v in thawed.variables.values())
    with progress(f"writing {output}", nbytes):
        thawed.save(output if output.endswith(".meta") else f"{output}.meta")
    report = {"output": output, "variables": len(thawed.variables), "variable_bytes": nbytes}
    show(report if as_json else f"{output}: {len(thawed.variables)} variables, {human(nbytes)}", as_json)
