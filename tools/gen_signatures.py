"""Writes `src/cryograph/ops/signatures.bin` from the ops that the installed TensorFlow registers.

    python tools/gen_signatures.py            write the file
    python tools/gen_signatures.py --check    exit 1, and say what differs, when the file is not what would be written
    python tools/gen_signatures.py --print    print the lines

The file is a zlib stream of lines, sorted by the op's name, in the notation of `cryograph.ops.signatures`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import packed
from cryograph.graph.attrs import decode_attr
from cryograph.ops.notation import format_signature, parse_signature
from cryograph.ops.signatures import of_op_def
from cryograph.wire import messages as pb

PATH = Path(__file__).parents[1] / "src" / "cryograph" / "ops" / "signatures.bin"


def registered() -> list[pb.OpDef]:
    """All ops that TensorFlow registers, as our own messages."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    listed = op_def_pb2.OpList()
    listed.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return [pb.OpDef.FromString(op.SerializeToString()) for op in listed.op]


def lines(ops: list[pb.OpDef]) -> list[str]:
    """A line an op; each is read back and must say the same."""
    written = []
    for proto in ops:
        found = of_op_def(proto, lambda value: decode_attr(value, {}))
        line = format_signature(found)
        if format_signature(parse_signature(line)) != line or ("\n" in line):
            raise SystemExit(f"The notation cannot say {proto.name}: {line}")
        written.append(line)
    return sorted(written)


if __name__ == "__main__":
    sys.exit(packed.main(__doc__, PATH, lambda: lines(registered())))
