"""What convolutions and pools share: data formats and the padding of sliding windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.tensors import Array
from .builder import Builder
from .values import Refusal, Value

DATA_FORMATS = {2: b"NHWC", 3: b"NDHWC"}
"""What ops take that are not told otherwise, by the number of spatial dimensions."""


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


@dataclass(frozen=True, slots=True)
class Window:
    """How windows go over a tensor: its layout, steps and gaps along its spatial dimensions, and the padding."""

    layout: Layout
    strides: list[int]
    dilations: list[int]
    padding: bytes
    explicit: Sequence[int] = ()

    def spans(self, kernel: Sequence[int]) -> list[int]:
        """How far windows reach that take so many elements."""
        return [(k - 1) * d + 1 for k, d in zip(kernel, self.dilations, strict=True)]

    def attrs(self, x: Value, kernel: Sequence[int]) -> dict[str, Any]:
        """The attributes `strides`, `dilations` and `pads` or `auto_pad` of an ONNX operator with a window over `x`.

        SAME with sizes that are not known is left to the runtime as SAME_UPPER, whose meaning is the same.
        """
        attrs: dict[str, Any] = {"strides": self.strides}
        if any(d != 1 for d in self.dilations):
            attrs["dilations"] = self.dilations
        if self.padding == b"VALID":
            return attrs
        if self.padding == b"EXPLICIT":
            attrs["pads"] = explicit_pads(self.layout, self.explicit)
            return attrs
        if self.padding != b"SAME":
            raise Refusal(f"the padding {self.padding!r} has no form in ONNX")
        before, after = [], []
        for axis, span, stride in zip(self.layout.spatial, self.spans(kernel), self.strides, strict=True):
            size = x.size(axis)
            if size is None and (stride == 1 or span <= 1):
                total = max(span - stride, 0)
            elif size is None:
                if any(d != 1 for d in self.dilations):
                    raise Refusal("SAME padding with strides and dilations needs known spatial sizes")
                attrs["auto_pad"] = "SAME_UPPER"
                return attrs
            else:
                total = _same(size, span, stride)
            before.append(total // 2)
            after.append(total - total // 2)
        if any(before) or any(after):
            attrs["pads"] = [*before, *after]
        return attrs

    def pool_attrs(self, x: Value, kernel: Sequence[int]) -> dict[str, Any]:
        """The same for a pool; Refusal where a window could lie in the padding, as ONNX has no such pools, and where
        windows leave gaps: the runtime then works out a padding below 0."""
        attrs = self.attrs(x, kernel)
        if "auto_pad" in attrs and any(s > k for s, k in zip(self.strides, kernel, strict=True)):
            raise Refusal("SAME pools with gaps between their windows need known spatial sizes")
        if any(pad >= kernel[i % self.layout.n] for i, pad in enumerate(attrs.get("pads", [0] * 2 * self.layout.n))):
            raise Refusal("padding as wide as the window has no form in ONNX")
        return attrs

    def pads(self, space: Sequence[int], kernel: Sequence[int]) -> tuple[list[int], list[int]]:
        """What is added before and after each known spatial size."""
        n = self.layout.n
        if self.padding == b"EXPLICIT":
            pads = explicit_pads(self.layout, self.explicit)
            return pads[:n], pads[n:]
        if self.padding == b"VALID":
            return [0] * n, [0] * n
        if self.padding != b"SAME":
            raise Refusal(f"the padding {self.padding!r} has no form in ONNX")
        totals = [_same(*sizes) for sizes in zip(space, self.spans(kernel), self.strides, strict=True)]
        return [total // 2 for total in totals], [total - total // 2 for total in totals]

    def counts(self, space: Sequence[int], kernel: Sequence[int], out: Sequence[int]) -> Array:
        """(1, *out): how many elements of each window lie inside and not in the padding."""
        begins, _ = self.pads(space, kernel)
        counts = np.ones([1], np.int64)
        for size, o, k, s, before in zip(space, out, kernel, self.strides, begins, strict=True):
            starts = np.arange(o) * s - before
            counts = counts[..., None] * (np.minimum(starts + k, size) - np.maximum(starts, 0))
        return counts


def window_of(
    layout: Layout,
    strides: Sequence[int],
    padding: bytes,
    explicit: Sequence[int] = (),
    dilations: Sequence[int] = (1,),
) -> Window:
    """The Window that an op's attributes tell; Refusal when it moves over batch or channels."""
    return Window(layout, layout.pick(strides, "strides"), layout.pick(dilations, "dilations"), padding, explicit)


def _same(size: int, span: int, stride: int) -> int:
    """What SAME adds on both sides together."""
    return max((-(-size // stride) - 1) * stride + span - size, 0)


def explicit_pads(layout: Layout, explicit: Sequence[int]) -> list[int]:
    """ONNX's `pads` (all begins, then all ends) of TensorFlow's pairs."""
    if len(explicit) != 2 * (layout.n + 2):
        raise Refusal(f"explicit_paddings {list(explicit)} has not {2 * (layout.n + 2)} items")
    pairs = [explicit[2 * i : 2 * i + 2] for i in range(layout.n + 2)]
    if any(pairs[0]) or any(pairs[layout.channel]):
        raise Refusal(f"explicit_paddings {list(explicit)} pads batch or channels")
    return [pairs[axis][0] for axis in layout.spatial] + [pairs[axis][1] for axis in layout.spatial]
