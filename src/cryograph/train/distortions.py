"""Pictures changed at random before a network learns from them: mirrored, cropped, scaled, made brighter or darker.

The four options of TensorFlow's image_retraining example, with its meanings:
`flip` mirrors half of the pictures; `crop` cuts a margin of so many per cent of the size away, at a random place;
`scale` enlarges by up to so many per cent more; `brightness` multiplies by 1 - b ... 1 + b.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.errors import InputError
from ..base.tensors import Array


@dataclass(frozen=True, slots=True)
class Distortion:
    """How pictures are changed; per cents are of 100."""

    flip: bool = False
    crop: float = 0.0
    scale: float = 0.0
    brightness: float = 0.0

    def __post_init__(self) -> None:
        for name in ("crop", "scale", "brightness"):
            value = getattr(self, name)
            if not 0 <= value < 100:
                raise InputError(f"{name} is {value:g} %, where 0 to 100 was expected.")

    def __bool__(self) -> bool:
        return self.flip or bool(self.crop or self.scale or self.brightness)

    def of(self, pixels: Array, draw: np.random.Generator) -> Array:
        """A changed copy of uint8 (H, W, C), of another size where it is cropped."""
        height, width = pixels.shape[:2]
        share = 1 / ((1 + self.crop / 100) * (1 + draw.uniform(0, self.scale / 100)))
        rows, columns = max(1, round(height * share)), max(1, round(width * share))
        top, left = draw.integers(0, height - rows + 1), draw.integers(0, width - columns + 1)
        made = pixels[top : top + rows, left : left + columns]
        if self.flip and draw.random() < 0.5:
            made = made[:, ::-1]
        if self.brightness:
            factor = draw.uniform(1 - self.brightness / 100, 1 + self.brightness / 100)
            made = np.clip(np.rint(made * factor), 0, 255)
        return np.ascontiguousarray(made, np.uint8)
