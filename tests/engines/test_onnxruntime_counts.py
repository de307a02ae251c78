"""How many of an op's cases ONNX Runtime must take, for ops that it takes in part: a lowering does not lose any."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cryograph.engines.onnxruntime.faults import version
from cryograph.engines.onnxruntime.lower import Lowering
from tests.engines.test_op_cases import cases, ways_to_fix
from tests.support.op_cases import Array, Case, program_of


def is_taken(case: Case, answers: list[Array]) -> bool:
    """Whether a case is lowered with known shapes, one way or another, or an older runtime cannot take it."""
    programs = (program_of(replace(case, fixed=fixed), answers) for fixed in ways_to_fix(case))
    reasons = [[str(reason) for reason in Lowering(program).refusals.values()] for program in programs]
    return any(all(is_too_old(reason) for reason in each) for each in reasons)


def is_too_old(reason: str) -> bool:
    """Whether a step is refused for what the newest runtime has."""
    return "is installed" in reason or (version() < (1, 32) and "has no kernel" in reason)


LEAST = {
    "AdjustContrast": 18,
    "ApproxTopK": 16,
    "AvgPool3DGrad": 4,
    "AvgPoolGrad": 10,
    "BatchNormWithGlobalNormalizationGrad": 4,
    "BiasAddGrad": 8,
    "BroadcastGradientArgs": 5,
    "CTCGreedyDecoder": 16,
    "CheckNumerics": 2,
    "CheckNumericsV2": 2,
    "CombinedNonMaxSuppression": 9,
    "ConcatOffset": 2,
    "Conv2DBackpropFilter": 9,
    "Conv2DBackpropFilterV2": 2,
    "Conv2DBackpropInput": 37,
    "Conv2DBackpropInputV2": 2,
    "Conv3DBackpropFilter": 2,
    "Conv3DBackpropFilterV2": 3,
    "Conv3DBackpropInput": 1,
    "CropAndResize": 32,
    "Cross": 11,
    "Cumprod": 29,
    "CumulativeLogsumexp": 5,
    "DataFormatDimMap": 30,
    "DataFormatVecPermute": 34,
    "DenseBincount": 32,
    "DepthwiseConv2dNativeBackpropFilter": 10,
    "DepthwiseConv2dNativeBackpropInput": 6,
    "Dequantize": 130,
    "Dilation2D": 10,
    "DynamicStitch": 5,
    "EluGrad": 2,
    "Empty": 8,
    "EuclideanNorm": 62,
    "FakeQuantWithMinMaxArgsGradient": 36,
    "FakeQuantWithMinMaxVarsGradient": 42,
    "FakeQuantWithMinMaxVarsPerChannelGradient": 3,
    "FloorDiv": 40,
    "FloorMod": 40,
    "FusedBatchNormGrad": 5,
    "FusedBatchNormGradV2": 5,
    "FusedBatchNormGradV3": 7,
    "FusedPadConv2D": 2,
    "FusedResizeAndPadConv2D": 2,
    "GatherNd": 28,
    "GuaranteeConst": 16,
    "ImageProjectiveTransformV2": 42,
    "ImageProjectiveTransformV3": 42,
    "InplaceSub": 1,
    "LRNGrad": 4,
    "LeakyReluGrad": 2,
    "LeftShift": 21,
    "Max": 66,
    "MaxPool3DGradGrad": 6,
    "MaxPoolGrad": 15,
    "MaxPoolGradGrad": 13,
    "MaxPoolGradGradV2": 12,
    "MaxPoolGradGradWithArgmax": 2,
    "MaxPoolGradV2": 12,
    "MaxPoolGradWithArgmax": 4,
    "Mean": 68,
    "Min": 66,
    "MirrorPadGrad": 2,
    "Mod": 26,
    "NthElement": 14,
    "ParallelDynamicStitch": 3,
    "PopulationCount": 14,
    "Prod": 62,
    "QuantizeAndDequantize": 8,
    "QuantizeAndDequantizeV2": 38,
    "QuantizeAndDequantizeV3": 9,
    "QuantizeAndDequantizeV4": 30,
    "QuantizeDownAndShrinkRange": 6,
    "QuantizeV2": 155,
    "QuantizedAdd": 18,
    "QuantizedAvgPool": 16,
    "QuantizedBiasAdd": 12,
    "QuantizedConcat": 16,
    "QuantizedConv2D": 12,
    "QuantizedMatMul": 12,
    "QuantizedMaxPool": 16,
    "QuantizedMul": 18,
    "QuantizedRelu": 8,
    "QuantizedRelu6": 8,
    "QuantizedReluX": 24,
    "QuantizedReshape": 8,
    "Range": 26,
    "Relu6Grad": 7,
    "ReluGrad": 7,
    "RequantizationRange": 3,
    "Requantize": 24,
    "ResizeArea": 22,
    "ResizeBicubicGrad": 18,
    "ResizeBilinearGrad": 18,
    "ResizeNearestNeighborGrad": 18,
    "ReverseSequence": 18,
    "RightShift": 20,
    "ScaleAndTranslate": 32,
    "ScaleAndTranslateGrad": 32,
    "ScatterNdNonAliasingAdd": 2,
    "SegmentMax": 7,
    "SegmentMaxV2": 6,
    "SegmentMin": 7,
    "SegmentMinV2": 6,
    "SegmentProdV2": 6,
    "SegmentSumV2": 6,
    "SeluGrad": 2,
    "SoftsignGrad": 2,
    "StridedSliceGrad": 4,
    "TensorStridedSliceUpdate": 5,
    "ToBool": 8,
    "TruncateDiv": 36,
    "TruncateMod": 26,
    "UnsortedSegmentMax": 9,
    "UnsortedSegmentMin": 9,
    "UnsortedSegmentSum": 9,
    "XlaConv": 18,
    "XlaConvV2": 1,
    "XlaDot": 8,
    "XlaDotV2": 2,
    "XlaDynamicSlice": 22,
    "XlaDynamicUpdateSlice": 20,
    "XlaEinsum": 4,
    "XlaGather": 10,
    "XlaPad": 27,
}


@pytest.mark.parametrize("op", LEAST)
def test_as_many_cases_are_taken(op: str) -> None:
    seen = [(case, answers) for case, answers in cases()[op] if answers is not None]
    assert sum(is_taken(case, answers) for case, answers in seen) >= LEAST[op]
