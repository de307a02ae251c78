"""Pictures from bytes, and bytes from pictures. Which op is used hardly matters: the first bytes tell what it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base import images
from ...base.errors import FormatError, RunError
from ...base.tensors import Array
from ...wire import bmp, gif, jpeg, png
from .context import Context, Rule

_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    png.SIGNATURE: "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"RIFF": "WebP",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
}
_METHODS = {b"": True, b"INTEGER_FAST": True, b"INTEGER_ACCURATE": False}
"""Whether a cosine transform is the fast one."""


_TAKEN = {
    "": ("JPEG", "PNG", "GIF", "WebP", "JPEG XL"),
    "DecodeAndCropJpeg": ("JPEG",),
    "DecodeBmp": ("BMP", "WebP", "JPEG XL"),
    "DecodeImage": ("JPEG", "PNG", "GIF", "BMP", "WebP", "JPEG XL"),
}
"""What each op takes."""
_CHANNELS = {"JPEG": (0, 1, 3), "GIF": (0, 3), "BMP": (0, 3, 4), "WebP": (0, 3, 4)}
"""The channels that can be asked of what takes not all."""


def _text(contents: Array) -> bytes:
    if contents.shape:
        raise RunError(f"a picture is one string; the shape {list(contents.shape)} was given")
    return bytes(contents.item())


def _kind(data: bytes) -> str:
    for start, kind in _STARTS.items():
        if data.startswith(start) and (kind != "WebP" or data[8:12] == b"WEBP"):
            return kind
    raise RunError("these bytes are no JPEG, PNG, GIF, BMP or WebP")


def _decode(
    ctx: Context,
    contents: Array,
    channels: int,
    expand: bool = True,
    ratio: int = 1,
    fancy: bool = True,
    fast: bool = True,
    window: tuple[int, int, int, int] | None = None,
) -> Array:
    op, data, dtype = ctx.step.op, _text(contents), ctx.dtype
    if channels not in (0, 1, 3, 4):
        raise RunError(f"{channels} channels were asked for, not 0, 1, 3 or 4")
    kind = _kind(data)
    if kind not in _TAKEN.get(op, _TAKEN[""]):
        raise RunError(f"this is a {kind}, which {op} does not take")
    if channels not in _CHANNELS.get(kind, (channels,)):
        raise RunError(f"a {kind} cannot be made {channels} channels")
    try:
        if kind == "JPEG":
            made = jpeg.decode(data, channels, ratio, fancy, fast, window)
        elif kind == "PNG":
            made = png.decode(data, channels, dtype != np.uint8)
        elif kind == "BMP":
            made = bmp.decode(data, channels)
        elif kind == "GIF":
            made = gif.decode(data)
        elif kind == "WebP":
            made = _webp(data, channels, dtype)
        else:
            raise RunError("this is a JPEG XL, for which there is no decoder here")
    except FormatError as error:
        raise RunError(str(error).rstrip(".")) from error
    return _sized(op, kind, _typed(made, dtype), expand)


def _sized(op: str, kind: str, made: Array, expand: bool) -> Array:
    """With or without a dimension of frames, as the op has it."""
    if kind in ("GIF", "WebP"):
        if kind == "GIF" and op in ("DecodePng", "DecodeJpeg"):
            if len(made) != 1:
                raise RunError(f"{op} takes one picture; this GIF has {len(made)} frames")
            return np.asarray(made[0])
        return made if expand else np.asarray(made[0])
    return made[None] if op == "DecodeGif" else made


def _typed(made: Array, dtype: np.dtype[Any]) -> Array:
    """Bytes as the dtype that is asked for: times 256 as uint16, up to 1 as float."""
    if made.dtype == dtype:
        return made
    if dtype == np.uint16:
        return np.asarray(made.astype(dtype) * dtype.type(256))
    return np.asarray(made.astype(dtype) * dtype.type(1 / np.iinfo(made.dtype).max))


def _webp(data: bytes, channels: int, dtype: np.dtype[Any]) -> Array:
    if dtype != np.uint8:
        raise RunError("a WebP is decoded to uint8 only")
    made = images.decode_webp(data)
    if channels not in (0, made.shape[-1]):
        raise RunError(f"this WebP has {made.shape[-1]} channels, not {channels}")
    return made


def _decode_jpeg(
    ctx: Context,
    contents: Array,
    *,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1.0,
    dct_method: bytes = b"",
) -> Array:
    """What is missing of a truncated picture that is to be recovered is grey; TensorFlow leaves there what its buffers
    held. Without that wish a truncated picture is refused, whatever fraction would be acceptable: so does TensorFlow.
    """
    return _jpeg(ctx, contents, None, channels, ratio, fancy_upscaling, try_recover_truncated, dct_method)


def _decode_and_crop(
    ctx: Context,
    contents: Array,
    crop_window: Array,
    *,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1.0,
    dct_method: bytes = b"",
) -> Array:
    if crop_window.shape != (4,):
        raise RunError(f"a window is 4 numbers; the shape {list(crop_window.shape)} was given")
    return _jpeg(ctx, contents, crop_window, channels, ratio, fancy_upscaling, try_recover_truncated, dct_method)


def _jpeg(
    ctx: Context,
    contents: Array,
    crop: Array | None,
    channels: int,
    ratio: int,
    fancy: bool,
    recover: bool,
    method: bytes,
) -> Array:
    if ratio not in jpeg.SCALES or method not in _METHODS:
        raise RunError(f"the ratio {ratio} or the method {method!r} is none that JPEG knows")
    if recover and _text(contents)[:3] == b"\xff\xd8\xff":
        contents = np.array(_text(contents) + b"\xff\xd9", object)  # an end, in case it has none
    y, x, height, width = (int(n) for n in crop) if crop is not None else (0, 0, 0, 0)
    window = None if crop is None else (y, x, height, width)
    return _decode(ctx, contents, channels, True, ratio, fancy, _METHODS[method], window)


def _decode_any(ctx: Context, contents: Array, *, channels: int = 0) -> Array:
    return _decode(ctx, contents, channels)


def _decode_gif(ctx: Context, contents: Array) -> Array:
    return _decode(ctx, contents, 3)


def _decode_image(ctx: Context, contents: Array, *, channels: int = 0, expand_animations: bool = True) -> Array:
    return _decode(ctx, contents, channels, expand_animations)


def _jpeg_shape(ctx: Context, contents: Array) -> Array:
    """Height, width and channels."""
    try:
        header = jpeg.read_header(_text(contents))
    except FormatError as error:
        raise RunError(str(error).rstrip(".")) from error
    return np.array([header.height, header.width, len(header.sampling)], ctx.dtype)


def _encode_png(ctx: Context, image: Array, *, compression: int = -1) -> Array:
    if image.ndim < 3 or not 1 <= image.shape[-1] <= 4 or 0 in image.shape[-3:]:
        raise RunError(f"pictures of the shape {list(image.shape)} cannot be encoded")
    if not -1 <= compression <= 9:
        raise RunError(f"the compression {compression} is not in [-1, 9]")
    made = np.empty(image.shape[:-3], object)
    for at in np.ndindex(*made.shape):
        made[at] = png.encode(image[at], compression)
    return made


_FORMATS = {b"": (1, 3), b"grayscale": (1,), b"rgb": (3,)}


def _encode_jpeg(
    ctx: Context,
    image: Array,
    *,
    format: bytes = b"",
    quality: int = 95,
    progressive: bool = False,
    optimize_size: bool = False,
    chroma_downsampling: bool = True,
    density_unit: bytes = b"in",
    x_density: int = 300,
    y_density: int = 300,
    xmp_metadata: bytes = b"",
) -> Array:
    if image.ndim != 3 or image.shape[-1] not in _FORMATS[format] or image.size == 0:
        raise RunError(f"a picture of the shape {list(image.shape)} cannot be encoded as {format.decode() or 'JPEG'}")
    if not 0 <= quality <= 100:
        raise RunError(f"the quality {quality} is not in [0, 100]")
    made = images.encode_jpeg(image, quality, progressive, optimize_size, chroma_downsampling)
    density = jpeg.with_density(made, {b"in": 1, b"cm": 2}[density_unit], x_density, y_density)
    return np.array(jpeg.with_xmp(density, xmp_metadata) if xmp_metadata else density, object)


def _encode_jpeg_quality(ctx: Context, image: Array, quality: Array) -> Array:
    if quality.shape:
        raise RunError(f"the quality is one number; the shape {list(quality.shape)} was given")
    return _encode_jpeg(ctx, image, quality=int(quality))


RULES: dict[str, Rule] = {
    "DecodeAndCropJpeg": _decode_and_crop,
    "DecodeBmp": _decode_any,
    "DecodeGif": _decode_gif,
    "DecodeImage": _decode_image,
    "DecodeJpeg": _decode_jpeg,
    "DecodeJxl": _decode_any,
    "DecodePng": _decode_any,
    "DecodeWebP": _decode_any,
    "EncodeJpeg": _encode_jpeg,
    "EncodeJpegVariableQuality": _encode_jpeg_quality,
    "EncodePng": _encode_png,
    "ExtractJpegShape": _jpeg_shape,
}
