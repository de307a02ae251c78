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
    shape_attribute,
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
    " Polygamma Pow RealDiv RightShift SquaredDifference Sub TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta"
    " SelectV2 RandomGammaGrad"
)

_MERGED = "AddN ApproximateEqual"

_GRADIENTS = (
    "EluGrad LeakyReluGrad Relu6Grad ReluGrad SeluGrad SoftplusGrad SoftsignGrad Addons>GeluGrad Addons>HardshrinkGrad"
    " Addons>SoftshrinkGrad Addons>TanhshrinkGrad Addons>LishtGrad Addons>MishGrad Addons>RreluGrad"
    " FakeQuantWithMinMaxArgsGradient"
)

_LIKE_THE_FIRST = "SigmoidGrad TanhGrad SqrtGrad RsqrtGrad InvGrad ReciprocalGrad"


def _equal(call: Call) -> Result:
    a, b = call.shape(0), call.shape(1)
    if not call.flag("incompatible_shape_error"):
        # Where shapes do not fit, the op answers with a single false instead of an error.
        if a is None or b is None:
            return [None]
        try:
            shape = broadcast(a, b)
        except Contradiction:
            return [()]
        # An unknown size beside one above 1 may fit or not.
        pairs = list(zip(reversed(a), reversed(b), strict=False))
        if any((x is None) != (y is None) and 1 not in (x, y) for x, y in pairs):
            return [None]
        return [shape]
    return [broadcast(a, b)]


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
    return [merge(call.shape(0), call.shape(1)), (), ()]


def _fake_quant_gradient_per_channel(call: Call) -> Result:
    shape = merge(call.shape(0), call.shape(1))
    channel = merge_dim(call.ranked(2, 1)[0], call.ranked(3, 1)[0])
    if shape:
        channel = merge_dim(channel, shape[-1])
        shape = (*shape[:-1], channel)
    return [shape, (channel,), (channel,)]


def _beta_inc(call: Call) -> Result:
    """Scalars beside tensors that all have one shape."""
    shape: Shape = ()
    unknown = False
    for fact in call.inputs:
        if fact.shape is None:
            unknown = True
        elif fact.shape != ():
            shape = merge(shape or None, fact.shape)
    return [None if unknown and shape == () else shape]


def _colours(call: Call) -> Result:
    shape = call.at_least(0, 1)
    return [None if shape is None else (*shape[:-1], merge_dim(shape[-1], 3))]


INFER: dict[str, Rule] = {
    **every(same_as_input, _UNARY),
    **every(broadcast_inputs, _BROADCAST),
    **every(merged_inputs, _MERGED),
    **every(merged_first_two, _GRADIENTS),
    **every(same_as_input, _LIKE_THE_FIRST),
    "AccumulateNV2": shape_attribute("shape"),
    "AdjustContrast": of_rank_at_least(3),
    "AdjustContrastv2": of_rank_at_least(3),
    "AdjustHue": of_rank_at_least(3),
    "AdjustSaturation": of_rank_at_least(3),
    "Betainc": _beta_inc,
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
    "FakeQuantWithMinMaxVarsPerChannelGradient": _fake_quant_gradient_per_channel,
    "HSVToRGB": _colours,
    "LogSoftmax": of_rank_at_least(1),
    "NotEqual": _equal,
    "QuantizeAndDequantizeV2": same_as_input,
    "QuantizeAndDequantizeV3": same_as_input,
    "QuantizeAndDequantizeV4": same_as_input,
    "RGBToHSV": _colours,
    "RegexFullMatch": same_as_input,
    "RegexReplace": same_as_input,
    "Select": _select,
    "Softmax": of_rank_at_least(1),
    "_HostCast": same_as_input,
}
