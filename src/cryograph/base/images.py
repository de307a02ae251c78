"""Pictures as arrays, by Pillow (the extra `images`)."""

from __future__ import annotations

import io
import os
from typing import Any

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
    pillow = _pillow("Reading pictures")
    name = os.fspath(path)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels)
    if mode is None:
        raise FormatError(f"{name}: a picture has 1, 3 or 4 channels, not {channels}.")
    with file_errors(name, "read"):
        try:
            with pillow.Image.open(name) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise FormatError(f"{name}: {opened.width} x {opened.height} pixels are more than {MAX_PIXELS}.")
                image = pillow.ImageOps.exif_transpose(opened).convert(mode)
        except (pillow.UnidentifiedImageError, SyntaxError, pillow.Image.DecompressionBombError) as error:
            raise FormatError(f"{name} is not a picture that can be read: {error}.") from error
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), pillow.Image.Resampling.BILINEAR)
    array = np.asarray(image)
    return array[..., None] if channels == 1 else array


def _pillow(task: str) -> Any:
    """Pillow's contents; MissingExtraError without it."""
    try:
        import PIL.Image
        import PIL.ImageOps
        import PIL.JpegImagePlugin
        import PIL.WebPImagePlugin
    except ImportError:
        raise MissingExtraError("Pillow", "images", task) from None
    return PIL


def decode_jpeg(data: bytes, mode: str, scale: int = 1, fast: bool = False) -> Array:
    """uint8 samples in a Pillow mode, 1 / `scale` of the size. `fast` takes the fast cosine transform, and chroma is
    then repeated and not smoothed where it has fewer samples. FormatError for what cannot be read to its end."""
    pillow = _pillow("Decoding JPEG")
    try:
        image = pillow.JpegImagePlugin.JpegImageFile(io.BytesIO(data))
        width, height = image.size
        (codec, _, offset, (raw, _)), *_ = image.tile
        size = (-(-width // scale), -(-height // scale))
        # What `draft` of Pillow sets; but `draft` picks the scale by itself, and never the fast transform.
        image.decoderconfig = (scale, int(fast))
        if mode != image.mode:
            raw = mode
        image._mode, image._size = mode, size
        image.tile = [(codec, (0, 0, *size), offset, (raw, ""))]
        image.load()
    except (OSError, SyntaxError, ValueError, IndexError, pillow.Image.DecompressionBombError) as error:
        raise FormatError(f"this JPEG cannot be read: {error}.") from error
    return np.array(image)


def decode_webp(data: bytes) -> Array:
    """uint8 (frames, H, W, 3 or 4); what is animated always has alpha."""
    pillow = _pillow("Decoding WebP")
    try:
        image = pillow.WebPImagePlugin.WebPImageFile(io.BytesIO(data))
        count = getattr(image, "n_frames", 1)
        if image.width * image.height * count > MAX_PIXELS:
            raise FormatError(f"{count} frames of {image.width} x {image.height} pixels are more than {MAX_PIXELS}.")
        frames = []
        for number in range(count):
            image.seek(number)
            frames.append(np.array(image.convert("RGBA") if count > 1 else image))
    except (OSError, SyntaxError, ValueError, EOFError, pillow.Image.DecompressionBombError) as error:
        raise FormatError(f"this WebP cannot be read: {error}.") from error
    return np.stack(frames)


def encode_jpeg(pixels: Array, quality: int, progressive: bool, optimize: bool, downsampled: bool) -> bytes:
    """A JPEG of uint8 (H, W, 1 or 3); `downsampled` chroma has half the rows and columns."""
    pillow = _pillow("Encoding JPEG")
    image = pillow.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    made = io.BytesIO()
    sampling = {} if image.mode == "L" else {"subsampling": 2 if downsampled else 0}
    image.save(
        made, "JPEG", quality=max(1, quality), progressive=progressive, optimize=optimize,
        **sampling, dpi=(1, 1),
    )  # fmt: skip
    return made.getvalue()
