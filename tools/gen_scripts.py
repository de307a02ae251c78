"""Writes `src/cryograph/engines/numpy/scripts.bin`, the script of each code point, as the installed TensorFlow says.

    python tools/gen_scripts.py            write the file
    python tools/gen_scripts.py --check    exit 1 when the file is not what would be written

The file is a zlib stream of lines "start script", one a run of code points, in decimal.
"""

from __future__ import annotations

import sys

import numpy as np

import packed
from cryograph.engines.numpy.unicode import SCRIPTS


def lines() -> list[str]:
    """A line a run."""
    import tensorflow as tf

    scripts = tf.raw_ops.UnicodeScript(input=np.arange(0x110000, dtype=np.int32)).numpy()
    starts = np.flatnonzero(np.diff(scripts, prepend=scripts[0] - 1))
    return [f"{start} {scripts[start]}" for start in starts]


if __name__ == "__main__":
    sys.exit(packed.main(__doc__, SCRIPTS, lines))
