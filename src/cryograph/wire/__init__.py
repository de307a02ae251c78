"""Floor 1: bytes and records: messages, the scan of big files, sorted string tables, checksums, TFRecord framing."""
