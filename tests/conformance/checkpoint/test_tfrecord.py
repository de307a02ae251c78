"""TFRecord files against TensorFlow, both ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from cryograph.base.errors import DamagedError
from cryograph.wire.tfrecord import read_records, write_records

SIZES = [0, 1, 2, 100, 65535, 65536, 3_000_000, 0, 5]


@pytest.fixture(scope="module")
def records() -> list[bytes]:
    rng = np.random.default_rng(0)
    return [rng.bytes(size) for size in SIZES]


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_both_ways(tmp_path: Path, records: list[bytes], compression: str) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "theirs"), compression or None) as writer:
        for record in records:
            writer.write(record)
    assert write_records(tmp_path / "ours", records, compression) == len(records)
    assert list(read_records(tmp_path / "theirs")) == records
    assert list(read_records(tmp_path / "theirs", compression)) == records
    back = tf.data.TFRecordDataset(str(tmp_path / "ours"), compression_type=compression)
    assert [item.numpy() for item in back] == records
    if not compression:
        assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_event_files_are_records_too(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.summary.FileWriter(str(tmp_path)) as writer:
        writer.add_summary(tf.compat.v1.Summary(value=[tf.compat.v1.Summary.Value(tag="loss", simple_value=0.5)]), 1)
    (path,) = tmp_path.iterdir()
    assert len(list(read_records(path))) == 2


def test_what_theirs_refuses(tmp_path: Path, records: list[bytes]) -> None:
    write_records(tmp_path / "ours", records[:4])
    data = bytearray((tmp_path / "ours").read_bytes())
    data[-10] ^= 1
    (tmp_path / "ours").write_bytes(data)
    with pytest.raises(tf.errors.DataLossError):
        list(tf.data.TFRecordDataset(str(tmp_path / "ours")))
    with pytest.raises(DamagedError, match="record 3 at byte 51: its 100 bytes fail their checksum"):
        list(read_records(tmp_path / "ours"))
