"""What convolutions and pools share: data formats and the padding of sliding windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .builder import Builder
from .values import Refusal, Value


@dataclass(frozen=True, slots=True)
class Layout:
    """A data format: where batch, channels and the `n` spatial dimensions stand."""

    n: int
    channels_last: bool

    @property
    def channel(self) -> int:
        """The axis of the channels."""
        return self.n + 1 if self.channels_last else 1

    @property
    def spatial(self) -> range:
        """The spatial axes."""
        return range(1, self.n + 1) if self.channels_last else range(2, self.n + 2)

    def pick(self, values: Sequence[int], what: str) -> list[int]:
        """The spatial ones of an attribute with one value a dimension; Refusal unless those of N and C are 1."""
        if len(values) == 1:
            return [values[0]] * self.n
        if len(values) != self.n + 2:
            raise Refusal(f"{what} {list(values)} has not {self.n + 2} items")
        if values[0] != 1 or values[self.channel] != 1:
            raise Refusal(f"{what} {list(values)} goes over batch or channels")
        return [values[axis] for axis in self.spatial]

    def enter(self, g: Builder, x: Value) -> Value:
        """`x` with the channels first, as ONNX has them."""
        return g.transpose(x, [0, self.n + 1, *range(1, self.n + 1)]) if self.channels_last else x

    def leave(self, g: Builder, x: Value) -> Value:
        """Back from channels first."""
        return g.transpose(x, [0, *range(2, self.n + 2), 1]) if self.channels_last else x


def layout_of(data_format: bytes, n: int) -> Layout:
    """The Layout of `NHWC`, `NCHW`, `NDHWC`, `NCDHW`; Refusal for the packed ones."""
    text = data_format.decode()
    if text in ("NHWC", "NDHWC", "NWC"):
        return Layout(n, True)
    if text in ("NCHW", "NCDHW", "NCW"):
        return Layout(n, False)
    raise Refusal(f"the data format {text} has no form in ONNX")


def window_attrs(
    layout: Layout,
    x: Value,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: bytes,
    explicit: Sequence[int] = (),
) -> dict[str, Any]:
    """The attributes `strides`, `dilations` and `pads` or `auto_pad` of an ONNX operator with a window over `x`.

    SAME with sizes that are not known is left to the runtime as SAME_UPPER, whose meaning is the same.
    """
    attrs: dict[str, Any] = {"strides": list(strides)}
    if any(d != 1 for d in dilations):
        attrs["dilations"] = list(dilations)
    if padding == b"VALID":
        return attrs
    if padding == b"EXPLICIT":
        attrs["pads"] = explicit_pads(layout, explicit)
        return attrs
    if padding != b"SAME":
        raise Refusal(f"the padding {padding!r} has no form in ONNX")
    before, after = [], []
    for axis, k, stride, dilation in zip(layout.spatial, kernel, strides, dilations, strict=True):
        span = (k - 1) * dilation + 1
        size = x.size(axis)
        if size is None and (stride == 1 or span <= 1):
            total = max(span - stride, 0)
        elif size is None:
            if any(d != 1 for d in dilations):
                raise Refusal("SAME padding with strides and dilations needs known spatial sizes")
            attrs["auto_pad"] = "SAME_UPPER"
            return attrs
        else:
            total = max((-(-size // stride) - 1) * stride + span - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    if any(before) or any(after):
        attrs["pads"] = [*before, *after]
    return attrs


def pads_of(
    layout: Layout,
    space: Sequence[int],
    spans: Sequence[int],
    strides: Sequence[int],
    padding: bytes,
    explicit: Sequence[int],
) -> tuple[list[int], list[int]]:
    """What is added before and after each known spatial size."""
    if padding == b"EXPLICIT":
        pads = explicit_pads(layout, explicit)
        return pads[: layout.n], pads[layout.n :]
    if padding == b"VALID":
        return [0] * layout.n, [0] * layout.n
    if padding != b"SAME":
        raise Refusal(f"the padding {padding!r} has no form in ONNX")
    totals = [max((-(-i // s) - 1) * s + w - i, 0) for i, s, w in zip(space, strides, spans, strict=True)]
    return [total // 2 for total in totals], [total - total // 2 for total in totals]


def explicit_pads(layout: Layout, explicit: Sequence[int]) -> list[int]:
    """ONNX's `pads` (all begins, then all ends) of TensorFlow's pairs."""
    if len(explicit) != 2 * (layout.n + 2):
        raise Refusal(f"explicit_paddings {list(explicit)} has not {2 * (layout.n + 2)} items")
    pairs = [explicit[2 * i : 2 * i + 2] for i in range(layout.n + 2)]
    if any(pairs[0]) or any(pairs[layout.channel]):
        raise Refusal(f"explicit_paddings {list(explicit)} pads batch or channels")
    return [pairs[axis][0] for axis in layout.spatial] + [pairs[axis][1] for axis in layout.spatial]
