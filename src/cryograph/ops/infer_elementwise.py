"""Shapes of ops that work element by element: the input's own, or all inputs stretched over each other."""

from __future__ import annotations

from ..base.shapes import Shape
from .facts import Call, Contradiction, Fact, Rule, broadcast, merge, merge_dim
from .infer_common import (
    Result,
    broadcast_inputs,
    every,
    merged_first_two,
    merged_inputs,
    of_rank_at_least,
    same_as_input,
)

_UNARY = (
    "Abs Acos Acosh Angle Asin Asinh Atan Atanh Bucketize Cast Ceil ComplexAbs Conj Cos"
    " Cosh Digamma Elu Erf Erfc Erfinv Exp Expm1 FakeQuantWithMinMaxArgs Floor Imag Inv Invert"
    " IsFinite IsInf IsNan LeakyRelu Lgamma Log Log1p LogicalNot Ndtri Neg OnesLike PopulationCount Real"
    " Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Square"
    " Tan Tanh ZerosLike BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1"
    " BesselK1e BesselY0 BesselY1 Dawsn Expint FresnelCos FresnelSin Spence DataFormatDimMap AsString StringLower"
    " StringUpper StringStrip StringLength StringToNumber StringToHashBucket StringToHashBucketFast"
    " StringToHashBucketStrong StaticRegexReplace StaticRegexFullMatch EncodeBase64 DecodeBase64 UnicodeTranscode"
    " UnicodeScript QuantizeAndDequantize _UnaryOpsComposition _MklRelu _MklTanh"
    " Addons>Gelu Addons>Hardshrink Addons>Softshrink Addons>Tanhshrink Addons>Lisht Addons>Mish Addons>ParseTime"
    " Addons>Rrelu Addons>EuclideanDistanceTransform Addons>ImageConnectedComponents Addons>AdjustHsvInYiq"
    " AdjustHsvInYiq ImageConnectedComponents ReinterpretStringToFloat BucketizeWithInputBoundaries"
)

_BROADCAST = (
    "Add AddV2 Atan2 BitwiseAnd BitwiseOr BitwiseXor Complex Div DivNoNan FloorDiv FloorMod Greater GreaterEqual Igamma"
    " IgammaGradA Igammac LeftShift Less LessEqual LogicalAnd LogicalOr Maximum Minimum Mod Mul MulNoNan NextAfter"
    " Polygamma Pow RealDiv RightShift SquaredDifference Sub TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta Betainc"
    " SelectV2 RandomGammaGrad"
)

_MERGED = "AddN AccumulateNV2 ApproximateEqual"

_GRADIENTS = (
    "EluGrad LeakyReluGrad Relu6Grad ReluGrad SeluGrad SigmoidGrad SoftplusGrad SoftsignGrad TanhGrad SqrtGrad"
    " RsqrtGrad InvGrad ReciprocalGrad Addons>GeluGrad Addons>HardshrinkGrad Addons>SoftshrinkGrad"
    " Addons>TanhshrinkGrad Addons>LishtGrad Addons>MishGrad Addons>RreluGrad FakeQuantWithMinMaxArgsGradient"
    " CholeskyGrad"
)


def _equal(call: Call) -> Result:
    if not call.flag("incompatible_shape_error"):
        # With shapes that do not fit, the op answers with one false instead of an error.
        try:
            shape = broadcast(call.shape(0), call.shape(1))
        except Contradiction:
            return [None]
        known = shape is not None and all(size is not None for fact in call.inputs for size in fact.shape or (None,))
        return [shape if known else None]
    return broadcast_inputs(call)


def _select(call: Call) -> Result:
    """`condition` is a scalar, a vector over the first axis, or of the shape of the values."""
    condition = call.shape(0)
    values = merge(call.shape(1), call.shape(2))
    if condition is None or len(condition) == 0:
        return [values]
    if values is None:
        return [condition if len(condition) > 1 else None]
    if len(condition) == 1 and len(values) != 0:
        return [(merge_dim(condition[0], values[0]), *values[1:])]
    return [merge(condition, values)]


def _bias_add(call: Call) -> Result:
    shape = call.at_least(0, 2)
    bias = call.ranked(1, 1)[0]
    if shape is None:
        return [None]
    axis = 1 if "data_format" in call.attrs and call.text("data_format") == "NCHW" else len(shape) - 1
    return [tuple(merge_dim(size, bias) if i == axis else size for i, size in enumerate(shape))]


def _bias_add_v1(call: Call) -> Result:
    shape = call.at_least(0, 2)
    bias = call.ranked(1, 1)[0]
    return [None if shape is None else (*shape[:-1], merge_dim(shape[-1], bias))]


def _bias_add_grad(call: Call) -> Result:
    shape = call.at_least(0, 2)
    if shape is None:
        return [(None,)]
    return [(shape[1] if call.text("data_format") == "NCHW" else shape[-1],)]


def _bitcast(call: Call) -> Result:
    shape = call.shape(0)
    source = call.inputs[0].dtype
    before = source.itemsize if source is not None else 0
    after = call.outputs[0].itemsize
    if shape is None or not before or not after:
        return [None]
    if before == after:
        return [shape]
    if before > after:
        return [(*shape, before // after)]
    if not shape:
        raise Contradiction("a scalar cannot become a wider one")
    return [shape[:-1]]


def _ensure_shape(call: Call) -> Result:
    fact = call.inputs[0]
    return [Fact(fact.dtype, merge(fact.shape, call.shape_attr("shape")), fact.value, fact.holds)]


def _fake_quant_per_channel(call: Call) -> Result:
    shape = call.at_least(0, 1)
    low, high = call.ranked(1, 1)[0], call.ranked(2, 1)[0]
    if shape is None:
        return [None]
    return [(*shape[:-1], merge_dim(shape[-1], merge_dim(low, high)))]


def _fake_quant_gradient(call: Call) -> Result:
    per_channel: Shape = merge(call.shape(2), call.shape(3))
    return [merge(call.shape(0), call.shape(1)), per_channel, per_channel]


INFER: dict[str, Rule] = {
    **every(same_as_input, _UNARY),
    **every(broadcast_inputs, _BROADCAST),
    **every(merged_inputs, _MERGED),
    **every(merged_first_two, _GRADIENTS),
    "AdjustContrast": of_rank_at_least(3),
    "AdjustContrastv2": of_rank_at_least(3),
    "AdjustHue": of_rank_at_least(3),
    "AdjustSaturation": of_rank_at_least(3),
    "BiasAdd": _bias_add,
    "BiasAddGrad": _bias_add_grad,
    "BiasAddV1": _bias_add_v1,
    "Bitcast": _bitcast,
    "ClipByValue": same_as_input,
    "EnsureShape": _ensure_shape,
    "Equal": _equal,
    "FakeQuantWithMinMaxVars": same_as_input,
    "FakeQuantWithMinMaxVarsGradient": _fake_quant_gradient,
    "FakeQuantWithMinMaxVarsPerChannel": _fake_quant_per_channel,
    "FakeQuantWithMinMaxVarsPerChannelGradient": _fake_quant_gradient,
    "HSVToRGB": of_rank_at_least(1),
    "LogSoftmax": of_rank_at_least(1),
    "NotEqual": _equal,
    "QuantizeAndDequantizeV2": same_as_input,
    "QuantizeAndDequantizeV3": same_as_input,
    "QuantizeAndDequantizeV4": same_as_input,
    "RGBToHSV": of_rank_at_least(1),
    "RegexFullMatch": same_as_input,
    "RegexReplace": same_as_input,
    "Select": _select,
    "Softmax": of_rank_at_least(1),
    "Substr": broadcast_inputs,
    "_HostCast": same_as_input,
}
