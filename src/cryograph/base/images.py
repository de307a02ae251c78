"""Pictures as arrays, by Pillow (the extra `images`)."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from .errors import FormatError, MissingExtraError
from .tensors import Array

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
_ORIENTATION = 0x0112  # EXIF's tag
MAX_PIXELS = 200_000_000
"""Pictures of more pixels are refused before they are decoded."""
LETTER = 13
"""Size of letters that are drawn, in pixels."""
FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf", "Helvetica.ttc"),
    *("NotoSansCJK-Regular.ttc", "DroidSansFallbackFull.ttf", "msyh.ttc", "PingFang.ttc", "Arial Unicode.ttf"),
)
"""Fonts that systems bring along, those for many scripts last."""
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l"})


def is_picture_name(name: str) -> bool:
    """Whether a file's name says that it is a picture. Hidden ones are none, such as what macOS writes beside files."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def decode_any(data: bytes, name: str, channels: int) -> Array:
    """The bytes of any file that Pillow reads as uint8 (H, W, channels), as it was stored and not turned; `name` is for
    the FormatError when it is no picture."""
    return _array(_opened(io.BytesIO(data), name, channels))


def orientation(data: bytes) -> int:
    """How a picture was stored, 1 (upright) to 8, as its EXIF data say; 1 where they say nothing."""
    pillow = _pillow("Reading pictures")
    try:
        with pillow.Image.open(io.BytesIO(data)) as opened:
            turned = opened.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, pillow.Image.DecompressionBombError):
        return 1
    return turned if turned in range(1, 9) else 1


def encode_png(pixels: Array) -> bytes:
    """A PNG of uint8 (H, W, 1, 3 or 4)."""
    pillow = _pillow("Encoding PNG")
    made = io.BytesIO()
    pillow.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(made, "PNG", compress_level=1)
    return made.getvalue()


def drawing(pixels: Array) -> tuple[Any, Any]:
    """A picture of uint8 (H, W, 3), and what draws on it."""
    pillow = _pillow("Drawing pictures")
    image = pillow.Image.fromarray(pixels)
    return image, pillow.ImageDraw.Draw(image)


def lettering(texts: Sequence[str]) -> tuple[Any, list[str]]:
    """A font, and texts as it can write them. The font that Pillow brings has ASCII only; where no font of this machine
    has all letters either, accents are left out, and `?` stands for other letters."""
    pillow = _pillow("Drawing pictures")
    plain = pillow.ImageFont.load_default(LETTER)
    if all(map(str.isascii, texts)):
        return plain, list(texts)
    for name in FONTS:
        try:
            font = pillow.ImageFont.truetype(name, LETTER)
        except OSError:  # this machine does not have it
            continue
        none = bytes(font.getmask("\uffff"))
        if all(bytes(font.getmask(letter)) != none for letter in set("".join(texts)) - {" "}):
            return font, list(texts)
    return plain, [_ascii(text) for text in texts]


def _ascii(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(x if " " <= x <= "~" else "?" for x in letters if not unicodedata.combining(x))


def _opened(file: IO[bytes], name: str, channels: int) -> Any:
    """Pillow's image of a file; FormatError for what is none."""
    pillow = _pillow("Reading pictures")
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels)
    if mode is None:
        raise FormatError(f"{name}: a picture has 1, 3 or 4 channels, not {channels}.")
    try:
        with pillow.Image.open(file) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise FormatError(f"{name}: {opened.width} x {opened.height} pixels are more than {MAX_PIXELS}.")
            return opened.convert(mode)
    except pillow.UnidentifiedImageError as error:  # Pillow's words name an object of Python's
        raise FormatError(f"{name} is not a picture that can be read: its format is not known.") from error
    except (OSError, SyntaxError, ValueError, pillow.Image.DecompressionBombError) as error:
        raise FormatError(f"{name} is not a picture that can be read: {str(error).rstrip('.')}.") from error


def _array(image: Any) -> Array:
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def _pillow(task: str) -> Any:
    """Pillow's contents; MissingExtraError without it."""
    try:
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageFont
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
