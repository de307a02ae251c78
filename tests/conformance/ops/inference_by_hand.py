"""Graphs of single ops written by hand: those that drawing seldom hits, and those whose shapes hang on values."""

from __future__ import annotations

from typing import Any

from cryograph.base.dtypes import FLOAT32, INT32, INT64, STRING, dtype_of
from cryograph.graph.graph import Graph
from cryograph.graph.node import Node
from tests.ops.graphs import constant, graph, single, source

QUINT8, QINT8, QINT32 = (dtype_of(name) for name in ("quint8", "qint8", "qint32"))
COUNTED = {"Tparams": FLOAT32, "Tindices": INT32, "Taxis": INT32}
SLICE = {"T": FLOAT32, "Index": INT32}
MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
RANGE = ["float32[]", "float32[]"]
EXAMPLE = {
    "dense_shapes": [(3,), (2, 2)], "Tdense": [FLOAT32, INT64], "sparse_types": [STRING], "num_sparse": 1,
}  # fmt: skip


SEQUENCE = {
    "Ncontext_sparse": 1, "context_sparse_types": [INT64], "Tcontext_dense": [FLOAT32], "context_dense_shapes": [(3,)],
    "Nfeature_list_sparse": 1, "feature_list_sparse_types": [STRING], "Nfeature_list_dense": 1,
    "feature_list_dense_types": [FLOAT32], "feature_list_dense_shapes": [(2, 4)],
}  # fmt: skip
SEQUENCE_KEYS = {
    "Ncontext_dense": 1, "feature_list_dense_missing_assumed_empty": [], "context_sparse_keys": ["a"],
    "context_dense_keys": ["b"], "feature_list_sparse_keys": ["c"], "feature_list_dense_keys": ["d"],
}  # fmt: skip
SEQUENCE_RAGGED = {
    "context_ragged_value_types": [INT64], "context_ragged_split_types": [INT64],
    "feature_list_ragged_value_types": [INT64], "feature_list_ragged_split_types": [INT32],
}  # fmt: skip


def masks(**given: int) -> dict[str, Any]:
    return {**SLICE, **{f"{name}_mask": given.get(name, 0) for name in MASKS}}


CASES: list[tuple[str, list[str], dict[str, Any]]] = [
    # Values make shapes
    ("StridedSlice", ["float32[?,8,9,3]", "int32=[0,1,-3]", "int32=[0,5,-1]", "int32=[1,2,1]"], masks(begin=1, end=1)),
    ("StridedSlice", ["float32[4,8,9]", "int32=[1,7]", "int32=[0,0]", "int32=[1,-2]"], masks(shrink_axis=1, end=2)),
    ("StridedSlice", ["float32[4,8,9]", "int32=[0,0,2]", "int32=[0,0,3]", "int32=[1,1,1]"], masks(ellipsis=2)),
    ("StridedSlice", ["float32[4,8,9]", "int32=[0,0,2]", "int32=[0,0,3]", "int32=[1,1,1]"], masks(new_axis=3)),
    ("StridedSlice", ["float32[4,8]", "int32~[null,1]", "int32=[4,3]", "int32=[1,1]"], masks()),
    ("StridedSlice", ["float32[4,8]", "int32~[null,1]", "int32=[4,3]", "int32=[1,1]"], masks(shrink_axis=1)),
    ("StridedSlice", ["float32[4,8]", "int32[2]", "int32[2]", "int32[2]"], masks(ellipsis=1)),
    ("StridedSlice", ["float32[?]", "int32=[3]", "int32=[2]", "int32=[1]"], masks()),
    ("Slice", ["float32[?,8,3]", "int32=[0,2,0]", "int32=[-1,4,-1]"], SLICE),
    ("Slice", ["float32[5,8]", "int32~[null,2]", "int32~[null,-1]"], SLICE),
    ("SplitV", ["float32[?,10]", "int32=[3,-1,2]", "int32=1"], {"T": FLOAT32, "Tlen": INT32, "num_split": 3}),
    ("SplitV", ["float32[?,10]", "int32~[3,null]", "int32=-1"], {"T": FLOAT32, "Tlen": INT32, "num_split": 2}),
    ("SplitV", ["float32[4,10]", "int32[2]", "int32[]"], {"T": FLOAT32, "Tlen": INT32, "num_split": 2}),
    ("SplitV", ["float32[4,10]", "int32[1]", "int32=1"], {"T": FLOAT32, "Tlen": INT32, "num_split": 1}),
    ("GatherV2", ["float32[?,5,6]", "int32[2,3]", "int32=1"], COUNTED),
    ("GatherV2", ["float32[?,5,6]", "int32[?,3]", "int32=-1"], {**COUNTED, "batch_dims": 1}),
    ("GatherV2", ["float32[4,5,6]", "int32[2]", "int32[]"], COUNTED),
    ("ConcatV2", ["float32[?,2]", "float32[3,?]", "float32", "int32=0"], {"T": FLOAT32, "N": 3}),
    ("ConcatV2", ["float32[4,2]", "float32[3,2]", "int32[]"], {"T": FLOAT32, "N": 2}),
    ("Range", ["int32=2", "int32=11", "int32=4"], {"Tidx": INT32}),
    ("Range", ["float32=0", "float32=1", "float32=0.1"], {"Tidx": FLOAT32}),
    ("Range", ["float32=5", "float32=-1.5", "float32=-0.25"], {"Tidx": FLOAT32}),
    ("LinSpace", ["float32=0", "float32=1", "int32=7"], {"T": FLOAT32, "Tidx": INT32}),
    ("OneHot", ["int32[?,3]", "int32=5", "float32=1", "float32=0"], {"T": FLOAT32, "TI": INT32, "axis": 1}),
    ("HistogramFixedWidth", ["float32[9]", "float32[2]", "int32=6"], {"T": FLOAT32}),
    ("Einsum", ["float32[7,?,3]", "float32[3,4]"], {"T": FLOAT32, "N": 2, "equation": "...ij,jk->k...i"}),
    ("Reshape", ["float32[?,6]", "int64=[3,-1,2]"], {"T": FLOAT32, "Tshape": INT64}),
    ("Reshape", ["float32[4,6]", "int64~[null,3]"], {"T": FLOAT32, "Tshape": INT64}),
    # Sparse, ragged and parsed
    ("EditDistance",
     ["int64=[[0,0,0]]", "string[1]", "int64=[2,5,7]", "int64=[[0,0,0]]", "string[1]", "int64=[3,4,9]"], {"T": STRING}),
    ("SparseTensorDenseMatMul", ["int64[?,2]", "float32[?]", "int64=[4,5]", "float32[5,3]"],
     {"T": FLOAT32, "Tindices": INT64}),
    ("SparseTensorDenseMatMul", ["int64[?,2]", "float32[?]", "int64=[5,4]", "float32[3,5]"],
     {"T": FLOAT32, "Tindices": INT64, "adjoint_a": True, "adjoint_b": True}),
    ("SparseToSparseSetOperation",
     ["int64[?,2]", "int32[?]", "int64[2]", "int64[?,2]", "int32[?]", "int64[2]"],
     {"T": INT32, "set_operation": "union"}),
    ("SerializeSparse", ["int64[?,2]", "float32[?]", "int64[2]"], {"T": FLOAT32}),
    ("DeserializeSparse", ["string[3]"], {"dtype": FLOAT32}),
    ("RaggedGather", ["int64[4]", "float32[9,2]", "int32[5]"],
     {"Tvalues": FLOAT32, "Tindices": INT32, "PARAMS_RAGGED_RANK": 1, "OUTPUT_RAGGED_RANK": 1}),
    ("RaggedCross",
     ["int64[9]", "int64[4]", "int64[?,2]", "int64[?]", "int64[2]", "int64[3,2]"],
     {"Nsparse": 1, "input_order": "RSD", "hashed_output": True, "num_buckets": 3, "hash_key": 1,
      "ragged_values_types": [INT64], "ragged_splits_types": [INT64], "sparse_values_types": [INT64],
      "dense_types": [INT64], "out_values_type": INT64, "out_row_splits_type": INT64}),
    ("RaggedTensorToTensor", ["int64=[-1,4,2]", "float32[?,2]", "float32[]", "int64[5]"],
     {"T": FLOAT32, "Tindex": INT64, "Tshape": INT64, "num_row_partition_tensors": 1,
      "row_partition_types": ["ROW_SPLITS"]}),
    ("RaggedFillEmptyRows", ["int64[?]", "float32[?]", "int64=4", "float32[]"], {"T": FLOAT32}),
    ("ParseExampleV2", ["string[?]", "string[0]", "string[1]", "string[2]", "string[0]", "float32[3]", "int64[2,2]"],
     {**EXAMPLE, "ragged_value_types": [], "ragged_split_types": []}),
    ("ParseExampleV2", ["string[]", "string[0]", "string[1]", "string[2]", "string[1]", "float32[3]", "int64[2,2]"],
     {**EXAMPLE, "ragged_value_types": [INT64], "ragged_split_types": [INT32]}),
    ("ParseSingleExample", ["string[]", "float32[3]", "int64[2,2]"],
     {**EXAMPLE, "sparse_keys": ["a"], "dense_keys": ["b", "c"]}),
    ("ParseSequenceExample", ["string[?]", "string[?]", "float32[3]"], {**SEQUENCE, **SEQUENCE_KEYS}),
    ("ParseSequenceExampleV2",
     ["string[5]", "string[?]", "string[1]", "string[1]", "string[1]", "string[1]", "string[1]", "string[1]", "bool[1]",
      "float32[3]"], {**SEQUENCE, **SEQUENCE_RAGGED}),
    ("ParseSequenceExampleV2",
     ["string[]", "string[]", "string[1]", "string[1]", "string[1]", "string[1]", "string[1]", "string[1]", "bool[1]",
      "float32[3]"], {**SEQUENCE, **SEQUENCE_RAGGED}),
    ("ParseSingleSequenceExample",
     ["string[]", "string[?]", *["string[]"] * 4, "float32[3]", "string[]"], {**SEQUENCE, "Ncontext_dense": 1}),
    ("ShardedFilename", ["string[]", "int32[]", "int32[]"], {}),
    # Pictures
    ("CombinedNonMaxSuppression",
     ["float32[2,9,1,4]", "float32[2,9,3]", "int32=5", "int32=7", "float32[]", "float32[]"], {"pad_per_class": True}),
    ("CombinedNonMaxSuppression",
     ["float32[?,9,1,4]", "float32[2,9,?]", "int32=5", "int32=7", "float32[]", "float32[]"], {}),
    ("GenerateBoundingBoxProposals",
     ["float32[2,5,5,3]", "float32[2,5,5,12]", "float32[2,5]", "float32[5,5,12]", "float32[]", "int32[]", "float32[]"],
     {}),
    ("SampleDistortedBoundingBoxV2", ["int32[3]", "float32[1,2,4]", "float32[]"], {"T": INT32}),
    ("StatelessSampleDistortedBoundingBox", ["int32[3]", "float32[1,2,4]", "float32[]", "int64[2]"],
     {"T": INT32, "Tseed": INT64}),
    ("ScaleAndTranslate", ["float32[2,5,6,3]", "int32=[9,8]", "float32[2]", "float32[2]"], {"T": FLOAT32}),
    ("Conv2DBackpropInput", ["int32=[5,6]", "float32[3,3,4,2]", "float32[7,5,6,2]"],
     {"T": FLOAT32, "strides": [1, 1, 1, 1], "padding": "SAME"}),
    ("BatchNormWithGlobalNormalization",
     ["float32[?,5,5,?]", "float32[3]", "float32[3]", "float32[3]", "float32[3]"],
     {"T": FLOAT32, "variance_epsilon": 0.1, "scale_after_normalization": True}),
    ("BatchNormWithGlobalNormalizationGrad",
     ["float32[?,5,5,?]", "float32[3]", "float32[3]", "float32[3]", "float32[2,5,?,?]"],
     {"T": FLOAT32, "variance_epsilon": 0.1, "scale_after_normalization": True}),
    ("DecodeJxl", ["string[]"], {"channels": 3}),
    ("DecodeJxl", ["string[]"], {}),
    ("FusedBatchNormGradV2",
     ["float32[2,5,5,3]", "float32[2,5,5,3]", "float32[3]", "float32[3]", "float32[3]"], {"T": FLOAT32, "U": FLOAT32}),
    # Recurrent and quantised
    ("CudnnRNNParamsSize", ["int32[]", "int32[]", "int32[]"], {"T": FLOAT32, "S": INT32}),
    ("BlockLSTM",
     ["int64[]", "float32[9,2,4]", *["float32[2,5]"] * 2, "float32[9,20]", *["float32[5]"] * 3, "float32[20]"],
     {"T": FLOAT32}),
    ("QuantizedConcat", ["int32=1", "quint8[2,3]", "quint8[2,?]", *["float32[]"] * 4], {"T": QUINT8, "N": 2}),
    ("QuantizedConcatV2", ["quint8[2,3]", "quint8[?,3]", "int32=0", *["float32[]"] * 4],
     {"T": QUINT8, "N": 2, "Tidx": INT32}),
    ("QuantizedConv2D", ["quint8[?,8,8,3]", "qint8[3,3,3,5]", *RANGE, *RANGE],
     {"Tinput": QUINT8, "Tfilter": QINT8, "out_type": QINT32, "strides": [1, 2, 2, 1], "padding": "SAME"}),
    ("QuantizedConv2DPerChannel", ["quint8[?,8,8,3]", "qint8[3,3,3,5]", *RANGE, "float32[5]", "float32[5]"],
     {"Tinput": QUINT8, "Tfilter": QINT8, "out_type": QINT32, "strides": [1, 2, 2, 1], "padding": "SAME"}),
    # Optimizers
    ("SparseApplyFtrl",
     ["&float32[5,3]", "&float32[5,?]", "&float32[?,3]", "float32[2,3]", "int32[2]", *["float32[]"] * 4],
     {"T": FLOAT32, "Tindices": INT32}),
    ("SparseApplyFtrlV2",
     ["&float32[?,3]", "&float32[5,?]", "&float32[?,3]", "float32[2,3]", "int32[2]", *["float32[]"] * 5],
     {"T": FLOAT32, "Tindices": INT32}),
    ("SparseApplyCenteredRMSProp",
     [*["&float32[5,3]"] * 4, *["float32[]"] * 4, "float32[2,3]", "int32[2]"], {"T": FLOAT32, "Tindices": INT32}),
    ("_ReadVariablesOp", ["var:float32[2,3]", "var:int64[]"], {"N": 2, "dtypes": [FLOAT32, INT64]}),
    # Handles that nothing here makes
    ("GetElementAtIndex", ["variant[]", "int64[]"],
     {"output_types": [FLOAT32, INT64], "output_shapes": [(None, 2), ()]}),
    ("UncompressElement", ["variant[]"], {"output_types": [FLOAT32, INT64], "output_shapes": [(None, 2), ()]}),
    ("GetOptions", ["variant[]"], {}),
    ("RaggedTensorFromVariant", ["variant[?]"],
     {"input_ragged_rank": 1, "output_ragged_rank": 2, "Tvalues": FLOAT32, "Tsplits": INT64}),
    ("XlaCallModule", ["float32[2]"],
     {"version": 9, "module": "", "Sout": [(2, None), None], "Tout": [FLOAT32, INT32], "Tin": [FLOAT32]}),
    # Plain ones of which drawing makes lists of variants
    ("AddN", ["float32[?,3]", "float32[2,?]"], {"T": FLOAT32, "N": 2}),
    ("AsString", ["float32[?,3]"], {"T": FLOAT32}),
    ("Conj", ["complex64[?,3]"], {"T": dtype_of("complex64")}),
]  # fmt: skip

ARRAY = {"dtype": FLOAT32}
OLD_ARRAYS: list[tuple[str, list[str], dict[str, Any]]] = [
    ("TensorArraySize", ["float32[]"], {}),
    ("TensorArrayRead", ["int32[]", "float32[]"], ARRAY),
    ("TensorArrayWrite", ["int32[]", "float32[2,3]", "float32[]"], {"T": FLOAT32}),
    ("TensorArrayGather", ["int32[4]", "float32[]"], {**ARRAY, "element_shape": (2, 3)}),
    ("TensorArrayPack", ["float32[]"], {**ARRAY, "element_shape": (2, 3)}),
    ("TensorArrayConcat", ["float32[]"], {**ARRAY, "element_shape_except0": (3,)}),
    ("TensorArrayScatter", ["int32[4]", "float32[4,2]", "float32[]"], {"T": FLOAT32}),
    ("TensorArraySplit", ["float32[4,2]", "int64[2]", "float32[]"], {"T": FLOAT32}),
    ("TensorArrayUnpack", ["float32[4,2]", "float32[]"], {"T": FLOAT32}),
]
"""Ops of the first TensorArray, whose handle is a reference to strings: the inputs after the handle."""


def old_array(op: str, inputs: list[str], attrs: dict[str, Any]) -> Graph:
    """A graph of GraphDef version 15, the last that had such arrays."""
    nodes = [constant("size", 3, INT32), Node.make("array", "TensorArray", ["size"], {"dtype": FLOAT32})]
    names = ["array"]
    for index, words in enumerate(inputs):
        nodes += source(f"in{index}", words)
        names.append(f"in{index}")
    made = graph(*nodes, Node.make("op", op, names, attrs))
    made.proto.versions.producer = 15
    return made


def readers() -> dict[str, Graph]:
    """Ops on readers of 2016, whose handle is a reference to strings."""
    found = {}
    attrs = {"component_types": [STRING], "shapes": [()]}
    for op, more in {
        "ReaderRead": ["queue"],
        "ReaderReadUpTo": ["queue", "count"],
        "ReaderNumRecordsProduced": [],
        "ReaderNumWorkUnitsCompleted": [],
        "ReaderSerializeState": [],
    }.items():
        made = graph(
            Node.make("reader", "IdentityReader"),
            Node.make("queue", "FIFOQueue", (), attrs),
            constant("count", 4, INT64),
            Node.make("op", op, ["reader", *more]),
        )
        made.proto.versions.producer = 25
        found[op] = made
    return found


def lists() -> dict[str, Graph]:
    """Ops on several lists of tensors at once."""
    many = single("Pack", ["list:float32[2,?]", "list:float32[2,?]"], {"T": dtype_of("variant"), "N": 2})
    many.nodes["handles"] = many.nodes.pop("op").copy("handles")
    batch = many.copy()
    for node in source("items", "float32[2,2,5]"):
        batch.add(node)
    batch.add(Node.make("op", "TensorListPushBackBatch", ["handles", "items"], {"element_dtype": FLOAT32}))
    joined = many.copy()
    joined.add(Node.make("op", "TensorListConcatLists", ["handles", "handles"], {"element_dtype": FLOAT32}))
    return {"TensorListPushBackBatch": batch, "TensorListConcatLists": joined}


def by_hand() -> list[tuple[str, Graph]]:
    """All of them, with the op that each is about."""
    found = [(op, single(op, inputs, attrs)) for op, inputs, attrs in CASES]
    for op, made in found:
        if op.startswith("BatchNormWithGlobalNormalization"):
            made.proto.versions.producer = 8
    found += [(op, old_array(op, inputs, attrs)) for op, inputs, attrs in OLD_ARRAYS]
    return [*found, *readers().items(), *lists().items()]
