"""Cases of ops about running itself, and of fingerprints of 128 bits."""

from __future__ import annotations

import numpy as np

from cryograph.base.dtypes import BOOL, FLOAT32, INT64, STRING
from tests.support.op_cases import Case, case, refusal, strings

LENGTHS = (0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 63, 64, 65, 127, 128, 129, 143, 144, 145, 160, 300, 1000)
TEXT = bytes(range(256)) * 4

CASES: list[Case] = [
    *(
        case("FakeParam", dtype=dtype, shape=shape)
        for dtype in (FLOAT32, INT64, BOOL, STRING)
        for shape in [(None, 2), (0,), (3, 0), (None, None)]
    ),
    case("SdcaFprint", strings(*(TEXT[:length] for length in LENGTHS))),
    case("SdcaFprint", strings(b"\xff\0", TEXT[5:205], TEXT[1:])),
    case("SdcaFprint", np.zeros(0, object)),
    refusal("SdcaFprint", strings([b"a"])),
    refusal("SdcaFprint", strings(b"a").reshape(())),
]
