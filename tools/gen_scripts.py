"""Writes `src/cryograph/engines/numpy/scripts.bin`, the script of each code point, as the installed TensorFlow says.

    python tools/gen_scripts.py            write the file
    python tools/gen_scripts.py --check    exit 1 when the file is not what would be written

The file is a zlib stream of lines "start script", one a run of code points, in decimal.
"""

from __future__ import annotations

import argparse
import sys
import zlib

import numpy as np

from cryograph.engines.numpy.unicode import SCRIPTS


def lines() -> str:
    """A line a run."""
    import tensorflow as tf

    scripts = tf.raw_ops.UnicodeScript(input=np.arange(0x110000, dtype=np.int32)).numpy()
    starts = np.flatnonzero(np.diff(scripts, prepend=scripts[0] - 1))
    return "".join(f"{start} {scripts[start]}\n" for start in starts)


def main() -> int:
    """Parses the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is out of date")
    options = parser.parse_args()
    wanted = lines()
    if not options.check:
        SCRIPTS.write_bytes(zlib.compress(wanted.encode(), 9))
        return 0
    # The lines are compared, not the bytes: two builds of zlib may compress differently.
    same = SCRIPTS.exists() and zlib.decompress(SCRIPTS.read_bytes()).decode() == wanted
    if not same:
        print(f"{SCRIPTS} is out of date", file=sys.stderr)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
