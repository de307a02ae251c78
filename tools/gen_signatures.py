"""Writes `src/cryograph/ops/signatures.bin` from the ops that the installed TensorFlow registers.

    python tools/gen_signatures.py            write the file
    python tools/gen_signatures.py --check    exit 1, and say what differs, when the file is not what would be written
    python tools/gen_signatures.py --print    print the lines

The file is a zlib stream of lines, sorted by the op's name, in the notation of `cryograph.ops.signatures`.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import zlib
from pathlib import Path

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


def main() -> int:
    """Parses the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is out of date")
    parser.add_argument("--print", action="store_true", help="print the lines instead of writing them")
    options = parser.parse_args()
    wanted = lines(registered())
    if options.print:
        print("\n".join(wanted))
        return 0
    if options.check:
        # The lines are compared, not the bytes: two builds of zlib may compress differently.
        held = zlib.decompress(PATH.read_bytes()).decode().splitlines() if PATH.exists() else []
        changes = list(difflib.unified_diff(held, wanted, "signatures.bin", "TensorFlow", lineterm="", n=0))
        print("\n".join(changes[:50]) if changes else f"{PATH.name} holds all {len(wanted)} ops.")
        return 1 if changes else 0
    PATH.write_bytes(zlib.compress(("\n".join(wanted) + "\n").encode(), 9))
    print(f"{PATH.name}: {len(wanted)} ops, {PATH.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
