"""Cases of examples written as JSON."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases import Case, case, refusal, strings


def listed(kind: str, values: str) -> str:
    return f'{{"features":{{"feature":{{"a":{{"{kind}":{{"value":{values}}}}}}}}}}}'


MIXED = (
    '{"features":{"feature":{"b":{"int64List":{"value":["3",4]}},"a":{"floatList":{"value":[1.5,"NaN","Infinity",2]}},'
    '"c":{"bytesList":{"value":["YWI=","_-8","+/8="]}}}}}'
)
EMPTY = (
    '{"features":{"feature":{"b":{"int64_list":{"value":[]}},"a":{"float_list":{}},"c":{"bytes_list":{"value":[]}},'
    '"d":{},"e":null}}}'
)
GOOD = (
    *(MIXED, EMPTY),
    *("{}", '{"features":null}', '{"features":{}}', '{"features":{"feature":{}}}', '{"features":{"feature":null}}'),
    *(listed("int64List", values) for values in ("[1.0,1e2]", "7", "[null]", "null", '["1e2","+1","-3"]')),
    listed("int64List", '["9223372036854775807",-9223372036854775808]'),
    *(listed("floatList", values) for values in ('["1.25",1,-0.0,1e-50]', '["-Infinity"]', "[0.1,3.4e38]", "2")),
    *(listed("bytesList", values) for values in ('["YQ","YWI","YQ==",""]', '"YQ"', "[null]")),
    ' {"features" : {} } ',
    '{"features":{"feature":{"\\u00e9":{"int64List":{"value":[1]}}}}}',
    '{"features":{"feature":{"\u00e9\u20ac":{"int64List":{"value":[1]}}}}}',
    '{"features":{"feature":{"":{"int64List":{"value":[1]}}}}}',
    '{"features":{"feature":{"a":{"int64List":null}}}}',
)
BAD = (
    *("", "null", "[]", "5", '{"unknown":1}', '{"features":{}} x', '{"features":{"feature":{"a":{"zz":1}}}}'),
    '{"features":{"feature":{"a":{"int64List":{"value":[1]},"floatList":{"value":[1]}}}}}',
    '{"features":{"feature":{"a":{"int64List":{"value":[1]}},"a":{"int64List":{"value":[2]}}}}}',
    '{"features":{"feature":{"a":{"int64List":{"value":[1]},"int64_list":{"value":[2]}}}}}',
    '{"features":{"feature":[{"key":"a","value":{}}]}}',
    '{"features":{"feature":{"a":5}}}',
    *(listed("int64List", values) for values in ("[1.5]", "[9223372036854775808]", '["x"]', '[" 1"]', "[true]")),
    *(listed("floatList", values) for values in ("[1e39]", "[NaN]", "[true]", '["x"]')),
    *(listed("bytesList", values) for values in ('["!!"]', '["YW I="]', "[1]")),
)
CASES: list[Case] = [
    *(case("DecodeJSONExample", strings(text.encode()).reshape(())) for text in GOOD),
    case("DecodeJSONExample", strings([text.encode() for text in GOOD[:2]], [b"{}", b"{}"])),
    case("DecodeJSONExample", np.zeros((0, 2), object)),
    *(refusal("DecodeJSONExample", strings(b"{}", text.encode())) for text in BAD),
]
