"""Pictures as arrays, by Pillow (the extra `images`)."""

from __future__ import annotations

import os

import numpy as np

from .errors import FormatError, MissingExtraError
from .files import Path, file_errors
from .tensors import Array

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
MAX_PIXELS = 200_000_000
"""Pictures of more pixels are refused before they are decoded."""


def read_image(path: Path, channels: int = 3, size: tuple[int, int] | None = None) -> Array:
    """A picture as uint8 (H, W, channels), turned as its EXIF orientation says; `size` is (height, width) to scale to,
    bilinearly. `channels` is 1 (grey), 3 (RGB) or 4 (RGBA). FormatError for what is not a picture."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise MissingExtraError("Pillow", "images", "Reading pictures") from None
    name = os.fspath(path)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels)
    if mode is None:
        raise FormatError(f"{name}: a picture has 1, 3 or 4 channels, not {channels}.")
    with file_errors(name, "read"):
        try:
            with Image.open(name) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise FormatError(f"{name}: {opened.width} x {opened.height} pixels are more than {MAX_PIXELS}.")
                image = ImageOps.exif_transpose(opened).convert(mode)
        except (UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as error:
            raise FormatError(f"{name} is not a picture that can be read: {error}.") from error
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    array = np.asarray(image)
    return array[..., None] if channels == 1 else array
