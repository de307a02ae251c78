"""Graphs of single ops with drawn inputs, for any op whose signature is known.

`drawn(op, seed)` makes inputs and attributes at random: what the names of arguments say (a scalar, a vector, a matrix)
is heeded most of the time, so that TensorFlow takes a good part of what comes out. What it refuses is not a case.
"""

from __future__ import annotations

import json
import random
import re
from typing import Any

import numpy as np

from cryograph.base.dtypes import FLOAT32, INT32, INT64, STRING, DType
from cryograph.base.tensors import Tensor
from cryograph.graph.graph import Graph
from cryograph.graph.node import Node
from cryograph.ops.notation import AttrSpec, OpSignature
from cryograph.ops.signatures import input_arg_ranges, input_types, signature
from tests.ops.graphs import PRODUCER, constant, graph, partial, placeholder, source

PREFERRED = [
    "float32", "int32", "int64", "string", "bool", "complex64", "quint8", "qint8", "qint32", "uint8", "float64",
]  # fmt: skip
SHAPES = [
    None, (), (3,), (None,), (2,), (1,), (4,), (2, 3), (3, 3), (None, 3), (3, None), (None, None), (2, 3, 4),
    (None, 3, 4), (2, None, 3), (2, 4, 4, 3), (None, 6, 8, 4), (1, None, None, 3), (None,) * 4, (3, 3, 4, 2),
    (2, 3, 4, 4, 3),
    (None, 5, 6, 7, 4), (1, 1, 1, 1), (2, 8, 8, 4), (8, 4, 4, 4),
]  # fmt: skip
INTEGERS: list[Any] = [
    [], [0], [1], [2], [-1], [0, 1], [1, 0], [2, 3], [4, 4], [2, 2], [1, -1], [0, 2, 1], [2, 3, 4], [3, 0, 1, 2],
    [1, 1, 1, 1], [2, 6, 8, 4], [0, 0, 0, 0], [[0, 0], [1, 2]], [[1, 1], [0, 2], [1, 0]],
    [[0, 0], [1, 1], [2, 2], [0, 0]], [[0, 0]], 0, 1, 2, 3, -1, -2, 5, 7,
    [5, 6, 7, 4, 2], [3, 3, 4, 2], [3, 3, 4, 4, 2], [8, 8], [12],
]  # fmt: skip

RANKS = {
    0: r"(?:.*_)?(?:min|max|minimum|maximum)(?:_.*)?|axis|.*_dim|dim|k|num|depth|delta|start|limit|num_segments"
    r"|num_samples|alg|n|minlength|max_output_size.*|max_total_size|.*_threshold|soft_nms_sigma|rate|on_value|off_value"
    r"|default(?:_value)?|.*_factor|output_dim0|num_results|lr|rho|epsilon|momentum|alpha|beta[12]_power|beta[12]?|l[12]"
    r"|pre_nms_topn|global_step|index|seq_len_max|quality|fill_value|cond|pred",
    1: r"shape|sizes|scale|offset|mean|variance|bias|b|wc[iof]|segment_ids|seed|counter|fft_length|multiples|perm|begin"
    r"|end|strides|ksize|input_sizes|filter_sizes|orig_input_shape|dense_shape|reduction_indices|box_ind|labels|targets"
    r"|scores|sequence_length|[ab]_shape|new_shape|input_shape|set[12]_shape|gamma|m|v|block_shape|crop_size"
    r"|image_size|output_shape|b_ru|b_c|crop_window|seq_lengths|reserve_space_[12]|serialized|names|splits|row_splits",
    2: r"boxes|[ab]?_?indices|sp_indices|set[12]_indices|filter2|h_prev|cs_prev|transforms|labels_indices|logits"
    r"|true_classes|w|w_ru|w_c|hypothesis_indices|input_indices|overlaps|crops|paddings",
}


def rank_of(op: str, argument: str) -> int | None:
    """The rank that an argument of that name mostly has."""
    if argument == "size":
        return 1 if re.search("Resize|Glimpse|Slice", op) else 0
    if argument == "x" and op.startswith("BlockLSTM"):
        return 3
    if argument in ("input", "input_h", "input_c") and op.startswith("Cudnn"):
        return 3
    if argument in ("input", "filter", "features") and re.match("Quantized.*Conv", op):
        return 4
    if argument in ("values", "a_values", "b_values", "sp_values") and op.startswith("Sparse"):
        return 1
    if argument == "indices" and "Sparse" not in op:
        return None
    return next((rank for rank, names in RANKS.items() if re.fullmatch(names, argument)), None)


class Draw:
    """One drawing of a case; the same seed draws the same."""

    def __init__(self, op: str, seed: int) -> None:
        self.op = op
        self.random = random.Random(f"{op} {seed}")
        self.nodes: list[Node] = []
        self.shared = [self.random.choice(SHAPES) for _ in range(self.random.choice([1, 2]))]

    def graph(self) -> Graph | None:
        """The graph; None when the op takes what cannot be drawn."""
        known = signature(self.op)
        assert known is not None
        attrs = self.attrs(known)
        if attrs is None:
            return None
        names = [name for name, r in input_arg_ranges(known, attrs).items() for _ in r]
        inputs = []
        for index, (name, dtype) in enumerate(zip(names, input_types(known, attrs), strict=True)):
            if not self.input(f"in{index}", name, dtype, attrs):
                return None
            inputs.append(f"in{index}")
        made = graph(*self.nodes, Node.make("op", self.op, inputs, attrs))
        made.proto.versions.producer = known.deprecated - 1 if known.deprecated else PRODUCER
        return made

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    # Attributes

    def attrs(self, known: OpSignature) -> dict[str, Any] | None:
        attrs: dict[str, Any] = {}
        last = ("strides", "ksize", "dilations", "explicit_paddings")
        for spec in sorted(known.attrs.values(), key=lambda spec: spec.name in last):
            if spec.item_kind == "func":
                return None
            attrs[spec.name] = self.attr(spec, attrs)
        for spec in known.attrs.values():
            lists = [attrs[s.name] for s in known.attrs.values() if s.kind == "list(type)"]
            if spec.kind == "list(shape)" and lists:
                attrs[spec.name] = [self.random.choice(SHAPES) for _ in lists[-1]]
        if "Ndense" in attrs:
            attrs["Ndense"], attrs["Nsparse"] = len(attrs["Tdense"]), len(attrs["sparse_types"])
        if self.op in ("Einsum", "XlaEinsum"):
            equations = [
                "ij,jk->ik",
                "...ij,...jk->...ik",
                "ij->ji",
                "abc,cd->abd",
                "i,i->",
                "...->...",
                "b...c,cd->...bd",
            ]
            if self.op == "XlaEinsum":  # of two operands, always
                attrs["equation"] = self.random.choice([text for text in equations if "," in text])
                return attrs
            attrs["equation"] = self.random.choice(equations)
            attrs["N"] = attrs["equation"].count(",") + 1
        return attrs

    def attr(self, spec: AttrSpec, others: dict[str, Any]) -> Any:
        choose, rank = self.random.choice, 5 if re.search("3D|Volume", self.op) else 4
        least = spec.minimum or 0
        if spec.kind == "type":
            return self.dtype(spec)
        if spec.kind == "list(type)":
            return [self.dtype(spec) for _ in range(self.random.randint(least, least + 2))]
        if spec.kind == "int":
            if spec.name in ("axis", "batch_dims", "batch_dim", "seq_dim"):
                return choose([-1, 0, 1, 2])
            if spec.has_default and self.chance(0.5):
                return spec.default
            return max(least, choose([least, 1, 2, 3, 4]))
        if spec.kind == "bool":
            return self.chance(0.5)
        if spec.kind == "string":
            if spec.allowed and not (spec.has_default and self.chance(0.6)):
                return choose(spec.allowed)
            return spec.default if spec.has_default else b""
        if spec.name in ("ksize", "strides", "ksizes", "dilations", "rates"):
            if spec.name == "dilations" and self.chance(0.7):
                return [1] * rank
            step = [choose([1, 1, 2, 3])] * (rank - 2)
            first = others.get("data_format") in (b"NCHW", b"NCDHW")
            return [1, 1, *step] if first else [1, *step, 1]
        if spec.name == "explicit_paddings":
            edges = [0, 0, 1, 0, 2, 1] + [0, 0] * (rank - 3)
            return edges if others.get("padding") == b"EXPLICIT" else []
        if spec.name == "squeeze_dims":
            return choose([[], [0], [1], [-1], [0, 2]])
        if spec.kind == "shape":
            return choose(SHAPES)
        if spec.kind == "tensor":
            return Tensor.of(np.zeros((2, 3), np.float32))
        if spec.has_default:
            return list(spec.default) if spec.is_list else spec.default
        fallback = {"float": 0.5, "list(int)": choose([[1], [1, 1], [2, 2]]), "list(float)": [1.0, 1.5, 1.3, 1.0]}
        return fallback.get(spec.kind, [])

    def dtype(self, spec: AttrSpec) -> DType:
        if spec.has_default and not spec.is_list and self.chance(0.5):
            value: DType = spec.default
            return value
        allowed = list(spec.allowed or (FLOAT32, INT32, INT64))
        allowed = [d for d in allowed if d.name in PREFERRED] or allowed
        allowed.sort(key=lambda d: PREFERRED.index(d.name) if d.name in PREFERRED else 99)
        return allowed[0] if self.chance(0.6) else self.random.choice(allowed)

    # Inputs

    def input(self, name: str, argument: str, dtype: DType, attrs: dict[str, Any]) -> bool:
        """Adds the nodes of one input; False when it cannot be drawn."""
        if dtype.is_ref or dtype.base.number in (20, 21):
            return self.handle(name, dtype, attrs)
        rank, choose = rank_of(self.op, argument), self.random.choice
        if dtype in (INT32, INT64) and self.chance(0.7):
            if rank != 0 and self.chance(0.2):
                values = [choose([None, None, 1, 2, 3, 4, -1]) for _ in range(self.random.randint(1, 4))]
                self.nodes += partial(name, values, dtype)
            else:
                fitting = [value for value in INTEGERS if rank is None or np.ndim(value) == rank]
                self.nodes.append(constant(name, choose(fitting), dtype))
            return True
        shape = choose(SHAPES) if self.chance(0.3) else choose(self.shared)
        if rank is not None and self.chance(0.9):
            shape = choose([s for s in SHAPES if s is None or len(s) == rank])
        if shape == () and dtype == FLOAT32 and self.chance(0.3):
            self.nodes.append(constant(name, choose([0.5, 1, 2, 0, -1]), dtype))
        else:
            self.nodes.append(placeholder(name, dtype, shape))
        return True

    def handle(self, name: str, dtype: DType, attrs: dict[str, Any]) -> bool:
        words = next((a for k, a in attrs.items() if k in ("dtype", "element_dtype", "elem_type", "T")), FLOAT32)
        held = words if isinstance(words, DType) else FLOAT32
        shape = self.random.choice(self.shared)
        sizes = "" if shape is None else json.dumps(shape).replace("null", "?").replace(" ", "")
        components = attrs.get("component_types", [FLOAT32])
        shapes = [self.random.choice(SHAPES) for _ in components] if self.chance(0.6) else []
        table = {
            "key_dtype": attrs.get("Tin", attrs.get("Tkeys", STRING)),
            "value_dtype": attrs.get("Tout", attrs.get("Tvalues", INT64)),
        }
        makers: list[tuple[str, str, dict[str, Any]]] = [
            ("Table", "HashTable", table),
            ("Queue", "FIFOQueue", {"component_types": components, "shapes": shapes, "capacity": 3}),
            ("Reader", "TextLineReader", {}),
        ]
        if "Table" in self.op and self.chance(0.5):
            makers[0] = ("Table", "MutableHashTableOfTensors", {**table, "value_shape": (3,)})
        if dtype.base.number == 21:
            if "TensorList" not in self.op:
                return self.add(name, "EmptyTensorMap", {}) if "TensorMap" in self.op else False
            self.nodes += source(name, f"list:{held.name}{sizes or '[?]'}")
        elif dtype.is_ref and not dtype.is_string:
            self.nodes += source(name, f"&{dtype.base.name}{sizes}")
        else:
            if dtype.is_ref and "Reader" in self.op:
                return False  # no reader of 2016 can be put into a graph of today
            for word, op, values in makers:
                if word in self.op:
                    return self.add(name, op if dtype.is_ref else f"{op}V2", values)
            if dtype.is_ref:
                return self.add(name, "Barrier", {"component_types": [FLOAT32], "shapes": [(2,)]})
            if "Iterator" in self.op:
                outputs = {k: attrs.get(k, v) for k, v in (("output_types", [FLOAT32]), ("output_shapes", [(2,)]))}
                return self.add(name, "IteratorV2", {"shared_name": "", "container": "", **outputs})
            kind = "array" if "TensorArray" in self.op else "var"
            self.nodes += source(name, f"{kind}:{held.name}{sizes}")
        return True

    def add(self, name: str, op: str, attrs: dict[str, Any]) -> bool:
        self.nodes.append(Node.make(name, op, (), attrs))
        return True


def drawn(op: str, seed: int) -> Graph | None:
    """A graph of one op with drawn inputs; None when it takes what cannot be drawn."""
    return Draw(op, seed).graph()
