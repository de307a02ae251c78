"""The options of the verb `retrain` as the arguments of `retrain`."""

from __future__ import annotations

from typing import Any

from ..train.distortions import Distortion
from ..train.softmax_head import HeadSettings
from .finetuning import Finetuning
from .labels import parse_levels, parse_size


def arguments(
    *,
    validation: float,
    test: float,
    epochs: int,
    learning_rate: float,
    batch: int,
    seed: int,
    flip: bool,
    crop: float,
    scale: float,
    brightness: float,
    copies: int,
    bottleneck: str | None,
    input_name: str | None,
    old_output: str | None,
    final_name: str,
    size: str | None,
    mean: str | None,
    std: str | None,
    no_cache: bool,
    engine: str,
    finetune: str | None,
    finetune_epochs: int,
    finetune_rate: float,
) -> dict[str, Any]:
    """Keyword arguments; InputError for text that is no size or level, and per cents out of range."""
    finetuning = None
    if finetune is not None:
        layers = int(finetune) if finetune.isdecimal() else tuple(glob.strip() for glob in finetune.split(","))
        finetuning = Finetuning(layers, finetune_epochs, learning_rate=finetune_rate, seed=seed)
    return {
        "validation": validation,
        "test": test,
        "settings": HeadSettings(epochs, batch, learning_rate, seed=seed),
        "distortion": Distortion(flip, crop, scale, brightness),
        "copies": copies,
        "finetuning": finetuning,
        "bottleneck": bottleneck,
        "input_name": input_name,
        "output_name": old_output,
        "final_name": final_name,
        "input_size": parse_size(size),
        "image_mean": parse_levels(mean),
        "image_std": parse_levels(std),
        "cached": not no_cache,
        "engine": engine,
    }
