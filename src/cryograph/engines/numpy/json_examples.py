"""Examples written as JSON turned into messages, byte for byte as TensorFlow's parser writes them: features in the
order of the text, lists value by value."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from ...wire.varint import varint
from .context import Context, Rule

Pairs = list[tuple[str, Any]]
"""A JSON object, in order and with what stands there twice."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NAMED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _fail(where: str, came: Any, expected: str) -> NoReturn:
    raise RunError(f"the JSON of an example is wrong at {where}: {str(came)[:60]!r} came, {expected} was expected")


class _Object(list[tuple[str, Any]]):
    """A JSON object, told from an array."""


def _pairs(value: Any, where: str) -> Pairs:
    if not isinstance(value, _Object):
        _fail(where, value, "an object")
    return value


def _record(number: int, body: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(body)) + body


def _integer(value: Any, where: str) -> bytes:
    if value is None:
        value = 0
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value) if re.fullmatch(r"[+-]?[0-9]+", value) else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        _fail(where, value, "an integer")
    if not -(1 << 63) <= value < 1 << 63:
        _fail(where, value, "an integer of 64 bits")
    return b"\x08" + varint(int(value) & ((1 << 64) - 1))


def _float(value: Any, where: str) -> bytes:
    if value is None:
        value = 0.0
    if isinstance(value, str):
        value = _NAMED.get(value, float(value) if _NUMBER.fullmatch(value) else value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        _fail(where, value, "a number")
    with np.errstate(over="ignore"):
        held = np.float32(value)
    if np.isinf(held) and not math.isinf(value):
        _fail(where, value, "a number of 32 bits")
    return b"\x0d" + struct.pack("<f", held)


def _bytes(value: Any, where: str) -> bytes:
    text = "" if value is None else value
    if not isinstance(text, str):
        _fail(where, value, "bytes in base64")
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return _record(1, base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
    except (binascii.Error, ValueError):
        _fail(where, value, "bytes in base64")


_LISTS: dict[str, tuple[int, Callable[[Any, str], bytes]]] = {
    "bytesList": (1, _bytes),
    "bytes_list": (1, _bytes),
    "floatList": (2, _float),
    "float_list": (2, _float),
    "int64List": (3, _integer),
    "int64_list": (3, _integer),
}


def _feature(value: Any, where: str) -> bytes:
    """A Feature: at most one list."""
    made = b""
    for key, given in _pairs(value, where):
        if key not in _LISTS:
            _fail(f"{where}.{key}", key, "bytesList, floatList or int64List")
        if given is None:
            continue
        if made:
            _fail(f"{where}.{key}", key, "one list alone")
        number, one = _LISTS[key]
        body = b""
        for name, values in _pairs(given, f"{where}.{key}"):
            if name != "value":
                _fail(f"{where}.{key}", name, "value")
            listed = values if isinstance(values, list) and not isinstance(values, _Object) else [values]
            body += b"".join(one(item, f"{where}.{key}") for item in ([] if values is None else listed))
        made = _record(number, body)
    return made


def _features(value: Any) -> bytes:
    made = b""
    for key, given in _pairs(value, "features"):
        if key != "feature":
            _fail("features", key, "feature")
        if given is None:
            continue
        seen: set[str] = set()
        for name, feature in _pairs(given, "features.feature"):
            if name in seen:
                _fail("features.feature", name, "another key")
            seen.add(name)
            body = _record(1, name.encode("utf-8", "surrogatepass"))
            if feature is not None:
                body += _record(2, _feature(feature, f"features.feature[{name!r}]"))
            made += _record(1, body)
    return made


def _constant(text: str) -> NoReturn:
    raise RunError(f"the JSON of an example holds {text}, which stands in quotation marks where it is meant")


def _message(text: bytes) -> bytes:
    """An Example message; RunError for what is no JSON of one."""
    try:
        parsed = json.loads(text.decode(), object_pairs_hook=_Object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise RunError(f"an example is no JSON: {error}") from error
    made = b""
    for key, given in _pairs(parsed, "the beginning"):
        if key != "features":
            _fail("the beginning", key, "features")
        if given is not None:
            made += _record(1, _features(given))
    return made


def _decode_json_example(ctx: Context, json_examples: Array) -> Array:
    made = np.empty(json_examples.shape, object)
    for place, text in np.ndenumerate(json_examples):
        made[place] = _message(text)
    return made


RULES: dict[str, Rule] = {
    "DecodeJSONExample": _decode_json_example,
}
