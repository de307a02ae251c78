"""Families of networks for pictures, told by the names that their makers gave to nodes: how each wants its pixels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Levels = tuple[float, ...]
"""One number for all channels, or one for each, in the order in which the network takes them."""


@dataclass(frozen=True, slots=True)
class Network:
    """A family: `name` in words, the side of its square pictures in pixels, and what is taken off pixels of 0 to 255
    and what they are divided by then. `bgr` networks take blue first."""

    name: str
    pattern: str
    side: int
    mean: Levels = (127.5,)
    std: Levels = (127.5,)
    bgr: bool = False


_RGB_MEAN, _BGR_MEAN = (123.68, 116.78, 103.94), (103.939, 116.779, 123.68)
_TORCH_MEAN, _TORCH_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

NETWORKS: tuple[Network, ...] = (
    # The first whose pattern is found in the name of a node counts, so that narrow patterns stand before wide ones.
    Network("Inception of 2014 (inception5h)", r"^conv2d0_w$|^softmax2_pre_activation", 224, (117.0,), (1.0,)),
    Network("MobileNet", r"MobilenetV[123]|(?i:mobilenet)|(^|/)conv_dw_1\b|(^|/)expanded_conv", 224),
    Network("Inception-ResNet V2", r"InceptionResnetV2|(^|/)block8_10_|(^|/)conv_7b\b", 299),
    Network("Inception V1", r"InceptionV1/", 224),
    Network("Inception V2", r"InceptionV2/", 224),
    Network("Inception V3 or V4", r"InceptionV[34]/|(^|/)mixed_?10(_\d+)?(/|$)|(?i:inception_?v[34])", 299),
    Network("Xception", r"(?i:xception)|(^|/)block14_sepconv2", 299),
    Network("NASNet or PNASNet", r"(?i:nasnet)|(^|/)normal_add_1_", 224),
    Network("ResNet V2", r"resnet_v2_\d+/|(?i:resnet\d+v2)|(^|/)post_bn(_\d+)?(/|$)", 224),
    Network("ResNet V1 of slim", r"resnet_v1_\d+/", 224, _RGB_MEAN, (1.0,)),
    Network("VGG of slim", r"vgg_(a|16|19)/", 224, _RGB_MEAN, (1.0,)),
    Network("ResNet of Keras", r"(^|/)conv5_block3_out(_\d+)?(/|$)|(^|/)res5c_branch2", 224, _BGR_MEAN, (1.0,), True),
    Network("VGG of Keras", r"(^|/)block5_conv3(_\d+)?/", 224, _BGR_MEAN, (1.0,), True),
    Network("DenseNet of Keras", r"(?i:densenet)|(^|/)conv5_block16_concat", 224, _TORCH_MEAN, _TORCH_STD),
)
"""Sources: the preprocessing of TensorFlow's slim models, of `tf.keras.applications`, and of the Android demo."""


def network_of(names: Iterable[str]) -> Network | None:
    """The family that the names of a graph's nodes tell; None for one that is not in the table."""
    listed = list(names)
    for network in NETWORKS:
        pattern = re.compile(network.pattern)
        if any(pattern.search(name) for name in listed):
            return network
    return None
