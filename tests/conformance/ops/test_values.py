"""The values that inference carries along are those that TensorFlow's kernels compute, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, INT64, dtype_of
from cryograph.ops.infer_values import VALUES
from cryograph.ops.inference import infer
from tests.ops.graphs import single

INT8, FLOAT16 = dtype_of("int8"), dtype_of("float16")
A, B = "int32=[7,-7,7,-7,0]", "int32=[2,2,-2,-2,3]"
F, G = "float32=[7.5,-7.5,0.1,-0.3,2.5]", "float32=[2,0.7,-0.1,3,3]"
M = "int32=[[1,2,3],[4,5,6]]"
T = {"T": INT32}
BOTH = [([A, B], T), ([F, G], {"T": FLOAT32})]
STEPS = {"T": INT32, "Index": INT32}
ROUNDED = [(["float32=[0.5,1.5,2.5,-0.5,-1.7,2.3]"], {"T": FLOAT32})]
AXES = {"T": INT32, "Tidx": INT32}


def axes(dtype: Any = INT32, **more: Any) -> dict[str, Any]:
    return {"T": dtype, "Tidx": INT32, **more}


CASES: dict[str, list[tuple[list[str], dict[str, Any]]]] = {
    "Abs": [([A], T), ([F], {"T": FLOAT32}), (["int32=[-2147483648]"], T)],
    "Add": BOTH,
    "AddN": [([A, B, A], {"T": INT32, "N": 3})],
    "AddV2": [*BOTH, (["int32=[2147483647]", "int32=1"], T), (["int8=[127]", "int8=[1]"], {"T": INT8})],
    "All": [(["bool=[[true,false],[true,true]]", "int32=1"], {"Tidx": INT32})],
    "Any": [(["bool=[[true,false],[false,false]]", "int32=[-1]"], {"Tidx": INT32, "keep_dims": True})],
    "BitwiseAnd": [([A, B], T)],
    "BitwiseOr": [([A, B], T)],
    "BitwiseXor": [([A, B], T)],
    "BroadcastTo": [(["int32=[1,2,3]", "int32=[2,3]"], {"T": INT32, "Tidx": INT32})],
    "Cast": [
        ([F], {"SrcT": FLOAT32, "DstT": INT32}),
        ([A], {"SrcT": INT32, "DstT": FLOAT32}),
        (["int32=[300,-1,256]"], {"SrcT": INT32, "DstT": dtype_of("uint8")}),
        (["int32=[0,2]"], {"SrcT": INT32, "DstT": BOOL}),
        ([F], {"SrcT": FLOAT32, "DstT": FLOAT16}),
    ],
    "Ceil": ROUNDED,
    "ClipByValue": [([A, "int32=-3", "int32=4"], T)],
    "Concat": [(["int32=1", M, "int32=[[7],[8]]"], {"T": INT32, "N": 2})],
    "ConcatOffset": [(["int32=1", "int32=[2,3]", "int32=[2,5]", "int32=[2,1]"], {"N": 3})],
    "ConcatV2": [([M, M, "int32=-2"], {"T": INT32, "N": 2, "Tidx": INT32})],
    "Cumsum": [([M, "int32=1"], AXES)],
    "Div": [([A, B], T), ([F, G], {"T": FLOAT32})],
    "DynamicStitch": [(["int32=[0,3]", "int32=[2,1]", "int32=[5,6]", "int32=[7,8]"], {"T": INT32, "N": 2})],
    "Equal": BOTH,
    "ExpandDims": [([A, "int32=-1"], {"T": INT32, "Tdim": INT32})],
    "Fill": [(["int32=[2,2]", "float32=1.5"], {"T": FLOAT32, "index_type": INT32})],
    "Floor": ROUNDED,
    "FloorDiv": [([A, B], T), ([F, G], {"T": FLOAT32})],
    "FloorMod": [([A, B], T)],
    "Gather": [([M, "int32=[1,0,1]"], {"Tparams": INT32, "Tindices": INT32})],
    "GatherV2": [([M, "int32=[[2,0]]", "int32=1"], {"Tparams": INT32, "Tindices": INT32, "Taxis": INT32})],
    "Greater": BOTH,
    "GreaterEqual": BOTH,
    "InvertPermutation": [(["int32=[2,0,3,1]"], T)],
    "LeftShift": [(["int32=[1,5]", "int32=[3,1]"], T)],
    "Less": BOTH,
    "LessEqual": BOTH,
    "LogicalAnd": [(["bool=[true,false]", "bool=[true,true]"], {})],
    "LogicalNot": [(["bool=[true,false]"], {})],
    "LogicalOr": [(["bool=[true,false]", "bool=[false,false]"], {})],
    "Max": [([M, "int32=0"], AXES), ([F, "int32=0"], axes(FLOAT32))],
    "Maximum": BOTH,
    "Min": [([M, "int32=[0,1]"], AXES)],
    "Minimum": BOTH,
    "Mul": [*BOTH, (["int32=[65536]", "int32=[65536]"], T)],
    "Neg": [([A], T)],
    "NotEqual": BOTH,
    "OneHot": [(["int32=[1,-1,3]", "int32=3", "float32=2", "float32=-1"], {"T": FLOAT32, "TI": INT32})],
    "OnesLike": [([M], T)],
    "Pack": [([A, B], {"T": INT32, "N": 2, "axis": 1})],
    "Pad": [([M, "int32=[[1,0],[0,2]]"], {"T": INT32, "Tpaddings": INT32})],
    "PadV2": [([M, "int32=[[1,0],[0,2]]", "int32=9"], {"T": INT32, "Tpaddings": INT32})],
    "ParallelDynamicStitch": [(["int32=[1]", "int32=[0]", "int32=[5]", "int32=[7]"], {"T": INT32, "N": 2})],
    "Prod": [([M, "int32=1"], AXES), (["int32=[65536,65536]", "int32=0"], AXES)],
    "Range": [
        (["int32=7", "int32=-4", "int32=-3"], {"Tidx": INT32}),
        (["int64=0", "int64=4", "int64=1"], {"Tidx": INT64}),
    ],
    "RealDiv": [([F, G], {"T": FLOAT32})],
    "Reshape": [([M, "int32=[3,-1]"], {"T": INT32, "Tshape": INT32})],
    "ReverseV2": [([M, "int32=[-1]"], {"T": INT32, "Tidx": INT32})],
    "RightShift": [(["int32=[-9,9]", "int32=[1,2]"], T)],
    "Rint": ROUNDED,
    "Round": ROUNDED,
    "ScatterNd": [(["int32=[[1],[3],[1]]", "int32=[5,6,7]", "int32=[5]"], {"T": INT32, "Tindices": INT32})],
    "Select": [(["bool=[true,false]", M, "int32=[[0,0,0],[9,9,9]]"], T)],
    "SelectV2": [(["bool=[true,false,true]", M, "int32=-1"], T)],
    "Sign": [([A], T), ([F], {"T": FLOAT32})],
    "Slice": [([M, "int32=[0,1]", "int32=[-1,2]"], STEPS)],
    "Split": [(["int32=0", M], {"T": INT32, "num_split": 2})],
    "SplitV": [([M, "int32=[1,-1]", "int32=1"], {"T": INT32, "Tlen": INT32, "num_split": 2})],
    "Sqrt": [(["float32=[2,3,0.1]"], {"T": FLOAT32})],
    "Square": [([A], T), ([F], {"T": FLOAT32})],
    "Squeeze": [(["int32=[[[1],[2]]]"], {"T": INT32, "squeeze_dims": [-1]})],
    "StridedSlice": [
        ([A, "int32=[-1]", "int32=[0]", "int32=[-2]"], STEPS),
        ([M, "int32=[1,0]", "int32=[0,2]", "int32=[1,1]"], {**STEPS, "shrink_axis_mask": 1, "new_axis_mask": 0}),
        ([M, "int32=[0,0,1]", "int32=[0,0,9]", "int32=[1,1,1]"], {**STEPS, "new_axis_mask": 1, "ellipsis_mask": 2}),
        ([M, "int32=[1]", "int32=[9]", "int32=[1]"], {**STEPS, "begin_mask": 1, "end_mask": 1}),
    ],
    "Sub": BOTH,
    "Sum": [([M, "int32=[0]"], axes(keep_dims=True)), (["int32=[2147483647,1]", "int32=0"], AXES)],
    "Tile": [([M, "int32=[2,1]"], {"T": INT32, "Tmultiples": INT32})],
    "Transpose": [([M, "int32=[1,0]"], {"T": INT32, "Tperm": INT32})],
    "TruncateDiv": [([A, B], T)],
    "Unpack": [([M], {"T": INT32, "num": 3, "axis": 1})],
    "ZerosLike": [([M], T)],
}


@pytest.mark.parametrize("op", VALUES)
def test_carried_values_are_tensorflows(op: str) -> None:
    for inputs, attrs in CASES[op]:
        made = single(op, inputs, attrs)
        proto, _ = made.to_proto()
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(tf.compat.v1.GraphDef.FromString(proto.SerializeToString()), name="")
        outputs = graph.get_operation_by_name("op").outputs
        with tf.compat.v1.Session(graph=graph) as session:
            wanted = session.run(outputs)
        inference = infer(made)
        for tensor, value in zip(outputs, wanted, strict=True):
            ours = inference.value(tensor.name)
            assert ours is not None, (inputs, attrs, inference.contradictions)
            assert ours.dtype == value.dtype
            np.testing.assert_array_equal(ours, value, err_msg=f"{op} {inputs} {attrs}")
