"""How a graph wants its pictures: which tensor takes them, encoded or as pixels, how large, and scaled in which way.

A graph says little of this. The dtype and shape of the placeholder say most; what the graph itself does with pixels
before the first layer tells in which range it expects them; the names of its nodes tell the family of the network.
What was found is said in words, so that a user can see what to override.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..base.dtypes import DType
from ..base.errors import InputError, UnknownNameError
from ..base.shapes import Shape, show
from ..graph.document import Document
from ..graph.graph import Graph
from ..graph.node import Node, tensor_name
from ..graph.walks import ancestors, input_names
from .inference import Inference, infer
from .networks import Levels, Network, network_of
from .pixel_steps import STEPS, own_preprocessing
from .ranking import INPUT_OPS

DECODERS = frozenset({"DecodeJpeg", "DecodePng", "DecodeGif", "DecodeBmp", "DecodeImage", "DecodeAndCropJpeg"})
CHANNELS = (1, 3, 4)
LEAST = 8
"""Pixels on each side of the smallest picture that is guessed from a row of numbers."""
HUB_SIGNATURES = frozenset({"image_classification", "image_feature_vector", "default"})
HUB_INPUT = "images"
"""Signatures whose input is pictures of 0 to 1. Source: tensorflow.org/hub/common_signatures/images."""


@dataclass(frozen=True, slots=True)
class PictureInput:
    """How to feed a picture.

    `tensor` takes it: `encoded` as the bytes of a file, else as pixels (rank 4, or 3 for one picture) of dtype `dtype`.
    `batch` is the fixed number of pictures, None for any, 0 for a tensor that takes one without a batch. `size` is
    (height, width) in pixels, None for any. Pixels of 0 to 255 become (pixel - mean) / std; `bgr` wants blue first,
    `channels_first` a plane for each channel (C, H, W), `flat` all numbers of a picture in one row.
    `reasons` say in words where each comes from.
    """

    tensor: str
    encoded: bool
    batch: int | None
    size: tuple[int, int] | None
    channels: int
    dtype: DType
    mean: Levels = (0.0,)
    std: Levels = (1.0,)
    bgr: bool = False
    channels_first: bool = False
    flat: bool = False
    reasons: tuple[str, ...] = ()


def find_picture_input(
    document: Document,
    outputs: Sequence[str],
    name: str | None = None,
    size: tuple[int, int] | None = None,
    mean: Levels | None = None,
    std: Levels | None = None,
) -> PictureInput:
    """How `document` wants the pictures from which it works out `outputs` (tensors), variables being constants.

    `name` is the tensor that takes them, `size` its (height, width), `mean` and `std` the scaling, where the caller
    knows. InputError when it does not become clear, which says what to give.
    """
    graph = document.graph
    inference = infer(graph)
    tensor, encoded, why = _tensor(graph, inference, outputs, name)
    dtype = inference.dtype(tensor)
    shape = inference.shape(tensor)
    if dtype is None:
        raise InputError(f"The dtype of {tensor} is not known; name another tensor as the input.")
    reasons = [f"pictures go into {tensor} ({dtype} {show(shape)}): {why}"]
    if encoded:
        if size or mean or std:
            raise InputError(
                f"{tensor} takes the bytes of files, which the graph scales itself, so that size, mean and std change"
                " nothing. Leave them out, or name the tensor of pixels behind the decoding with input_name (--input)."
            )
        batch = 0 if shape == () else shape[0] if shape else None
        reasons.append("it takes the bytes of the file; the graph decodes and scales them itself")
        return PictureInput(tensor, True, batch, None, 3, dtype, reasons=tuple(reasons))
    unrolled = _unrolled(graph, inference, tensor)
    if unrolled is not None:
        shape, how = unrolled
        reasons.append(f"a row holds a picture {show(shape[1:])}: {how}")
    if shape is not None and len(shape) not in (3, 4):
        raise InputError(f"{tensor} is {dtype} {show(shape)}, which is no picture: rank 3 or 4 was expected.")
    batch = None if shape is None else 0 if len(shape) == 3 else shape[0]
    planes = shape is not None and _is_planes(shape)
    if shape is not None and planes:
        shape = (*shape[:-3], shape[-2], shape[-1], shape[-3])
        reasons.append("a plane for each channel: by the placeholder")
    channels = 3 if shape is None or shape[-1] is None else shape[-1]
    if channels not in CHANNELS:
        raise InputError(f"{tensor} has {channels} channels, where 1, 3 or 4 make a picture; name another input.")
    network = network_of(graph.nodes)
    low, high, resized = own_preprocessing(graph, inference, tensor)
    if size is None:
        found = _size(shape, network, resized, reasons)
    else:
        found = _given_size(size, shape, tensor)
        reasons.append(f"size {size[0]} x {size[1]}: as given")
    if mean is None and std is None:
        levels = _scaling(dtype, (low, high), _hub_signature(document, tensor), network, channels, reasons)
    else:
        given = given_levels(mean or (0.0,), std or (1.0,), channels)
        reasons.append("(pixel - mean) / std: as given")
        swapped = network is not None and network.bgr and low is None and channels == 3 and dtype.is_floating
        if network is not None and swapped:
            reasons.append(f"blue first: usual for {network.name}")
        levels = (*given, swapped)
    flat = unrolled is not None
    return PictureInput(tensor, False, batch, found, channels, dtype, *levels, planes, flat, tuple(reasons))


def _given_size(size: tuple[int, int], shape: Shape, tensor: str) -> tuple[int, int]:
    """The size that the caller gave; InputError where the placeholder takes another one only."""
    if min(size) < 1:
        raise InputError(f"A picture cannot be {size[0]} x {size[1]} pixels.")
    for given, side in zip(size, shape[-3:-1] if shape else (), strict=False):
        if side not in (None, given):
            raise InputError(
                f"{tensor} takes pictures of {show(shape)}, not of {size[0]} x {size[1]} pixels; leave the size out."
            )
    return size


def given_levels(mean: Levels, std: Levels, channels: int) -> tuple[Levels, Levels]:
    """The levels that the caller gave; InputError for as many as there are not channels, or what nothing can be
    divided by."""
    for name, levels in (("mean", mean), ("std", std)):
        if len(levels) not in (1, channels):
            raise InputError(
                f"{name} has {len(levels)} numbers; one was expected, or one for each of {channels} channels."
            )
        if not all(map(math.isfinite, levels)) or (name == "std" and 0 in levels):
            raise InputError(f"{name} is {_said(levels)}; finite numbers were expected, and none of 0 for std.")
    return mean, std


# --- which tensor


def _tensor(graph: Graph, inference: Inference, outputs: Sequence[str], name: str | None) -> tuple[str, bool, str]:
    """The tensor, whether it takes encoded pictures, and why it is the one."""
    if name is not None:
        tensor = graph.port(name).tensor
        return tensor, _is_string(inference, tensor), "as given"
    needed = ancestors(graph, [graph.port(output).node for output in outputs])
    nodes = [node for node in graph if node.name in needed]
    for node in nodes:
        if node.op in DECODERS and node.data_inputs:
            source = _source(graph, node)
            return f"{source}:0", True, f"{node.name} ({node.op}) decodes it"
    placeholders = [node for node in nodes if node.op in INPUT_OPS]
    in_loop = next((node for body in graph.functions.values() for node in body if node.op in DECODERS), None)
    strings = [f"{node.name}:0" for node in placeholders if _is_string(inference, f"{node.name}:0")]
    if in_loop is not None and len(strings) == 1:
        return strings[0], True, f"{in_loop.name} ({in_loop.op}) in a function decodes it"
    pictures = [node for node in placeholders if _may_be_picture(inference, f"{node.name}:0")] or [
        node for node in placeholders if _unrolled(graph, inference, f"{node.name}:0") is not None
    ]
    plain = [node for node in pictures if node.op != "PlaceholderWithDefault"] or pictures
    known = [node for node in plain if inference.shape(f"{node.name}:0") is not None] or plain
    if len(known) == 1:
        return f"{known[0].name}:0", False, "the only placeholder that can hold a picture"
    listed = "".join(f"\n  {node.name}:0  {show(inference.shape(f'{node.name}:0'))}" for node in known or placeholders)
    if not known:
        raise InputError(
            "No placeholder behind the output can hold a picture (rank 3 or 4 with 1, 3 or 4 channels, or the bytes of"
            f" a file); name the tensor to feed with input_name (--input).{listed}"
        )
    raise InputError(f"Several placeholders can hold a picture; name one with input_name (--input).{listed}")


def _source(graph: Graph, decoder: Node) -> str:
    """The node whose strings a decoder gets, in a loop over a batch too."""
    name = decoder.data_inputs[0].node
    for _ in range(STEPS):
        node = graph.nodes.get(name)
        if node is None:
            raise UnknownNameError(f"{decoder.name} ({decoder.op}) takes from {name!r}, which is not in the graph.")
        if node.op in INPUT_OPS or node.op == "Const" or not node.inputs:
            return name
        name = input_names(node)[0]
    return name


def _is_string(inference: Inference, tensor: str) -> bool:
    dtype = inference.dtype(tensor)
    return dtype is not None and dtype.is_string


def _may_be_picture(inference: Inference, tensor: str) -> bool:
    dtype, shape = inference.dtype(tensor), inference.shape(tensor)
    if dtype is None or dtype.is_string or dtype.is_complex or dtype.name == "bool":
        return False
    if shape is None:
        return dtype.is_floating or dtype.name == "uint8"
    return len(shape) in (3, 4) and (shape[-1] in (*CHANNELS, None) or _is_planes(shape))


def _unrolled(graph: Graph, inference: Inference, tensor: str) -> tuple[tuple[int | None, ...], str] | None:
    """The shape of the pictures whose numbers a tensor (N, F) holds as rows, and how that is known; None for none."""
    shape, dtype = inference.shape(tensor), inference.dtype(tensor)
    if shape is None or len(shape) != 2 or shape[1] is None or dtype is None or not dtype.is_floating:
        return None
    for node in graph:
        if node.op == "Reshape" and node.data_inputs and node.data_inputs[0].tensor == tensor:
            made = inference.shape(f"{node.name}:0")
            if made is not None and len(made) == 4 and made[3] in CHANNELS and None not in made[1:]:
                return (shape[0], *made[1:]), f"as {node.name} reshapes it"
    side = math.isqrt(shape[1])
    if side * side == shape[1] and side >= LEAST:
        return (shape[0], side, side, 1), "a guess, as its numbers make a square"
    return None


def _is_planes(shape: Sequence[int | None]) -> bool:
    """Whether a shape is (N, C, H, W), as networks have it that were not made with TensorFlow or for GPUs."""
    return len(shape) == 4 and shape[1] in (1, 3) and shape[-1] not in (*CHANNELS, None)


# --- size and scaling


def _size(
    shape: Shape, network: Network | None, resized: tuple[int, int] | None, reasons: list[str]
) -> tuple[int, int] | None:
    if shape is not None and shape[-3] and shape[-2]:
        reasons.append(f"size {shape[-3]} x {shape[-2]}: by the placeholder")
        return shape[-3], shape[-2]
    if resized is not None:
        reasons.append(f"any size: the graph scales pictures to {resized[0]} x {resized[1]} itself")
        return None
    if network is not None:
        reasons.append(f"size {network.side} x {network.side}: usual for {network.name}")
        return network.side, network.side
    raise InputError(
        f"The size of pictures is not in the graph (the placeholder is {show(shape)}) and the family of the network is"
        " not known; give input_size (--size)."
    )


def _hub_signature(document: Document, tensor: str) -> str | None:
    """The signature that takes a tensor as TensorFlow Hub's modules take pictures; None for none."""
    for name, signature in document.signatures.items():
        taken = signature.inputs.get(HUB_INPUT)
        if name in HUB_SIGNATURES and taken is not None and tensor_name(taken.tensor) == tensor:
            return name
    return None


def _scaling(
    dtype: DType,
    own: tuple[float | None, float | None],
    signature: str | None,
    network: Network | None,
    channels: int,
    reasons: list[str],
) -> tuple[Levels, Levels, bool]:
    low, high = own
    if not dtype.is_floating:
        if dtype.name == "int8":
            reasons.append("pixels less 128: the placeholder is int8")
            return (128.0,), (1.0,), False
        reasons.append(f"pixels as they are, 0 to 255: the placeholder is {dtype}")
        return (0.0,), (1.0,), False
    if low is not None and high is not None:
        spread = abs(high - low)
        if spread <= 6 or (100 <= spread <= 300 and min(low, high) < 0 < max(low, high)):
            reasons.append(f"pixels as they are, 0 to 255: the graph scales them itself, to {low:.4g} ... {high:.4g}")
            return (0.0,), (1.0,), False
        if spread <= 6 * 255:
            reasons.append("pixels divided by 255: the graph goes on from 0 ... 1 itself")
            return (0.0,), (255.0,), False
    if signature is not None:
        reasons.append(
            f"pixels divided by 255: the signature {signature!r} takes images of 0 ... 1, as all of its name"
        )
        return (0.0,), (255.0,), False
    if network is not None and channels == 3:
        order = ", blue first" if network.bgr else ""
        levels = f"mean {_said(network.mean)}, std {_said(network.std)}{order}"
        reasons.append(f"(pixel - mean) / std with {levels}: usual for {network.name}")
        return network.mean, network.std, network.bgr
    if channels == 1:
        reasons.append("pixels divided by 255: a guess, as nothing in the graph says more; give mean and std if wrong")
        return (0.0,), (255.0,), False
    reasons.append("(pixel - 127.5) / 127.5: a guess, as nothing in the graph says more; give mean and std if wrong")
    return (127.5,), (127.5,), False


def _said(levels: Levels) -> str:
    return " ".join(f"{level:g}" for level in levels)
