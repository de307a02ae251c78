"""Cases of rounding to the steps of a quantised range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import Case, F, N, case, floats, kernel_types, refusal, values

EDGES = np.array([-7, -6.0000001, -6, -0.0235, 0, 0.0117, 0.02352, 3, 5.99, 6, 9, np.inf, -np.inf], F)
RANGES = ((-6.0, 6.0), (0.0, 1.0), (-1.0, 0.5), (-10.0, -2.0), (0.5, 3.0), (-0.1, 0.3), (0.0, 0.0))


def fakes() -> Iterator[Case]:
    x = floats(4, 9, low=-8, high=8)
    for low, high in RANGES:
        for bits in (2, 8, 16):
            for narrow in (False, True):
                said = {"num_bits": bits, "narrow_range": narrow}
                if low < high:
                    yield case("FakeQuantWithMinMaxArgs", x, min=low, max=high, **said)
                    yield case("FakeQuantWithMinMaxArgsGradient", floats(4, 9, seed=1), x, min=low, max=high, **said)
                yield case("FakeQuantWithMinMaxVars", x, F(low), F(high), **said, fixed=(1, 2))
                yield case("FakeQuantWithMinMaxVarsGradient", floats(4, 9, seed=1), x, F(low), F(high), **said)
    yield case("FakeQuantWithMinMaxArgs", EDGES)
    yield case("FakeQuantWithMinMaxArgs", floats(0, 3))
    yield case("FakeQuantWithMinMaxVars", EDGES, F(-6), F(6))
    yield case("FakeQuantWithMinMaxVars", np.array(0.3, F), F(-6), F(6))
    low, high = np.array([-6, 0, -1, 0], F), np.array([6, 1, 0.25, 0], F)
    for shape in ((4,), (3, 4), (2, 3, 4), (2, 3, 2, 4), (0, 4)):
        x = floats(*shape, low=-8, high=8)
        for narrow in (False, True):
            yield case("FakeQuantWithMinMaxVarsPerChannel", x, low, high, narrow_range=narrow, num_bits=8 - narrow)
        if len(shape) in (1, 2, 4) and x.size:
            yield case("FakeQuantWithMinMaxVarsPerChannelGradient", floats(*shape, seed=1), x, low, high)
    yield refusal("FakeQuantWithMinMaxVarsPerChannel", floats(3, 4), low[:3], high)
    yield refusal("FakeQuantWithMinMaxVars", floats(3), low, high)


def back_and_forth() -> Iterator[Case]:
    x = floats(3, 4, 5, low=-3, high=2)
    for kind in kernel_types("QuantizeAndDequantizeV2"):
        wide = np.float64 if kind == "float64" else None
        low, high = (np.asarray(end, dtype=values(kind, 1).dtype if wide is None else wide) for end in (-2, 1.5))
        y = values(kind, 4, 5, seed=2)
        for signed in (True, False):
            for given in (True, False):
                yield case("QuantizeAndDequantizeV2", y, low, high, signed_input=signed, range_given=given)
    for op in ("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4"):
        for bits in (3, 8, 16):
            for mode in ("HALF_TO_EVEN", "HALF_UP"):
                for narrow in (False, True):
                    for given in (True, False):
                        said = {"num_bits": bits, "round_mode": mode, "narrow_range": narrow, "range_given": given}
                        yield case(op, x, F(-1.7), F(2.5), **said, fixed=(1, 2))
        for axis in (0, 1, 2):
            size = x.shape[axis]
            low, high = floats(size, low=-2, high=-1), floats(size, seed=3, low=1, high=2)
            yield case(op, x, low, high, axis=axis)
            yield refusal(op, x, low, high, axis=axis, range_given=True)  # though the ranges have their place in the op
        yield case(op, floats(5, low=0.5, high=2), F(0), F(0))
        yield case(op, floats(5, low=-2, high=-0.5), F(0), F(0))
        yield case(op, np.zeros(3, F), F(0), F(0))
        yield refusal(op, x, F(2), F(-2), range_given=True)
    for bits in (4, 8):
        for signed in (True, False):
            for given in (True, False):
                said = {"signed_input": signed, "range_given": given}
                yield case("QuantizeAndDequantizeV3", x, F(-1), F(1.5), N(bits), **said)
                yield case("QuantizeAndDequantize", x, num_bits=bits, input_min=-1.0, input_max=1.5, **said)
    yield case("QuantizeAndDequantizeV3", x, floats(5, low=-2, high=-1), floats(5, low=1, high=2), N(8), axis=2)


CASES: list[Case] = [*fakes(), *back_and_forth()]
