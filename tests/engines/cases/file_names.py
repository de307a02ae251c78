"""Cases of the names of the files of sharded checkpoints."""

from __future__ import annotations

from tests.support.op_cases import Case, N, case, refusal, strings

CASES: list[Case] = [
    *(
        case("ShardedFilename", strings(name).reshape(()), N(shard), N(count))
        for name, shard, count in [(b"dir/model", 0, 3), (b"", 2, 1), (b"a", -1, 3), (b"%d", 123456, 200000)]
    ),
    *(
        case("ShardedFilespec", strings(name).reshape(()), N(count))
        for name, count in [(b"dir/model", 3), (b"", 1), (b"x", 0), (b"x", -4), (b"x\xff", 1234567)]
    ),
    refusal("ShardedFilename", strings(b"a"), N(0), N(1)),
    refusal("ShardedFilename", strings(b"a").reshape(()), [0], N(1)),
    refusal("ShardedFilespec", strings(b"a", b"b"), N(1)),
]
