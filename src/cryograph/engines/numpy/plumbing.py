"""Ops about running itself: on which kind of device, at what time, after what."""

from __future__ import annotations

import time

import numpy as np

from ...base.shapes import Shape
from ...base.tensors import Array
from .context import Context, Rule


def _device_index(ctx: Context, *, device_names: list[bytes]) -> Array:
    """The place of the CPU among kinds of devices; behind the last where it is not named."""
    names = [name.upper() for name in device_names]
    return np.array(names.index(b"CPU") if b"CPU" in names else len(names), np.int32)


def _timestamp(ctx: Context) -> Array:
    """Seconds since 1970."""
    return np.array(time.time())


def _nothing(ctx: Context) -> tuple[Array, ...]:
    return ()


def _fake_param(ctx: Context, *, shape: Shape) -> Array:
    """What stands in a branch for a value that only the other one has. Nobody reads it: TensorFlow's holds anything."""
    return np.zeros([size or 0 for size in shape or ()], ctx.dtype)


RULES: dict[str, Rule] = {
    "ControlTrigger": _nothing,
    "DeviceIndex": _device_index,
    "FakeParam": _fake_param,
    "Timestamp": _timestamp,
}
