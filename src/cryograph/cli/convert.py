"""The verb `convert`."""

from __future__ import annotations

import click

from .show import AS_JSON, WEIGHTS, progress, show


@click.command()
@click.argument("path")
@click.argument("output")
@click.option("--to", "format", metavar="FORMAT", help="The format to write, when the suffix does not tell.")
@WEIGHTS
@click.option("--tags", metavar="TAGS", help="Which MetaGraph of a SavedModel, by its tags.")
@AS_JSON
def convert(path: str, output: str, format: str | None, weights: str | None, tags: str | None, as_json: bool) -> None:
    """Write a model in another format.

    The suffix of OUTPUT names it: .pb, .pbtxt, .meta, .npz, .safetensors, .onnx, .ckpt or .index for a checkpoint; a
    name that ends in / is the directory of a SavedModel.
    """
    from ..api.model import load
    from .freeze import names

    model = load(path, weights, names(tags))
    with progress(f"writing {output}", sum(v.nbytes for v in model.variables.values())):
        model.save(output, format)
    show({"output": output} if as_json else f"{output}: written", as_json)
