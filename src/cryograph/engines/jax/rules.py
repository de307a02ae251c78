"""All rules of the JAX engine in one table, by TensorFlow's op name: the reference engine's where they compute with any
array namespace, and rules of its own."""

from __future__ import annotations

from ..numpy import activations, blocks, colours, fake_quantisation, image_grads, images, layouts, norm_grads, norms
from ..numpy import arrays as plain_arrays
from ..numpy import control as plain_control
from ..numpy import elementwise as plain_elementwise
from ..numpy import matrices as plain_matrices
from ..numpy import plumbing as plain_plumbing
from ..numpy import products as plain_products
from ..numpy import reductions as plain_reductions
from ..numpy.context import Rule
from . import (
    arrays,
    choosing,
    control,
    convolutions,
    elementwise,
    generators,
    hosted,
    indexing,
    lists,
    matrices,
    optimizers,
    pictures,
    pools,
    products,
    random,
    recurrent,
    reductions,
    segments,
    spectra,
)

SHARED: tuple[tuple[dict[str, Rule], str], ...] = (
    (
        plain_elementwise.RULES,
        """
        Abs Acos Acosh AddV2 Angle ApproximateEqual Asin Asinh Atan Atan2 Atanh BitwiseAnd BitwiseOr BitwiseXor Ceil
        Complex Conj Cos Cosh DivNoNan Equal Exp Expm1 Floor Greater GreaterEqual Imag Inv Invert IsFinite IsInf IsNan
        LeftShift Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr Mul MulNoNan Neg NotEqual Real RealDiv
        Reciprocal RightShift Rint Round Rsqrt Select SelectV2 Sign Sin Sinh Sqrt Square SquaredDifference Sub Tan
        """,
    ),
    (
        activations.RULES,
        """
        Elu EluGrad InvGrad LeakyRelu LeakyReluGrad ReciprocalGrad Relu6Grad ReluGrad RsqrtGrad Selu SeluGrad
        Sigmoid SigmoidGrad Softplus SoftplusGrad Softsign SoftsignGrad SqrtGrad Tanh TanhGrad
        """,
    ),
    (
        plain_arrays.RULES,
        """
        ConcatOffset DebugGradientIdentity DeepCopy EnsureShape GuaranteeConst Identity IdentityN
        PlaceholderWithDefault PreventGradient Rank Shape ShapeN Size Snapshot Squeeze
        """,
    ),
    (plain_control.RULES, "Const NoOp Print"),
    (layouts.RULES, "Copy CopyHost"),
    (plain_plumbing.RULES, "ControlTrigger DeviceIndex"),
    (
        plain_products.RULES,
        "BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd BiasAddV1 Cross Einsum MatMul SparseMatMul",
    ),
)
"""Rules of the reference engine that are as good for JAX's arrays, by name."""

OWN = (
    arrays,
    choosing,
    control,
    convolutions,
    elementwise,
    generators,
    hosted,
    indexing,
    lists,
    matrices,
    optimizers,
    pictures,
    pools,
    products,
    random,
    recurrent,
    reductions,
    segments,
    spectra,
)

WHOLE: tuple[dict[str, Rule], ...] = (
    blocks.RULES,
    colours.RULES,
    fake_quantisation.SHARED,
    image_grads.RESIZED,
    images.RULES,
    plain_matrices.RULES,
    plain_reductions.SHARED,
    norm_grads.RULES,
    norms.RULES,
)
"""Tables of the reference engine all of which are."""

RULES: dict[str, Rule] = {
    **{op: rule for family in WHOLE for op, rule in family.items()},
    **{op: family[op] for family, ops in SHARED for op in ops.split()},
    **{op: rule for module in OWN for op, rule in module.RULES.items()},
}
