"""Ops that reach outside of the numbers: files, the network, code, other processes. They are never run unasked."""

from __future__ import annotations

from collections.abc import Iterable

from ..base.errors import RefusedError, UnsupportedError
from ..graph.graph import Body

FILES = "reads or writes files"
NETWORK = "reaches over the network or to other processes"
CODE = "runs code that is not in the file"
COMPILED = (
    "is a compiled program (StableHLO, as jax2tf with native serialization writes it), which no engine reads; convert"
    " with native_serialization=False to get ops"
)

CARE: dict[str, str] = {
    "ReadFile": FILES,
    "WriteFile": FILES,
    "MatchingFiles": FILES,
    "Save": FILES,
    "SaveSlices": FILES,
    "SaveV2": FILES,
    "Restore": FILES,
    "RestoreSlice": FILES,
    "RestoreV2": FILES,
    "MergeV2Checkpoints": FILES,
    "ImmutableConst": FILES,
    "GenerateVocabRemapping": FILES,
    "LoadAndRemapMatrix": FILES,
    "InitializeTableFromTextFile": FILES,
    "InitializeTableFromTextFileV2": FILES,
    "WholeFileReader": FILES,
    "WholeFileReaderV2": FILES,
    "TextLineReader": FILES,
    "TextLineReaderV2": FILES,
    "TFRecordReader": FILES,
    "TFRecordReaderV2": FILES,
    "FixedLengthRecordReader": FILES,
    "FixedLengthRecordReaderV2": FILES,
    "LMDBReader": FILES,
    "TextLineDataset": FILES,
    "TFRecordDataset": FILES,
    "TFRecordDatasetV2": FILES,
    "FixedLengthRecordDataset": FILES,
    "FixedLengthRecordDatasetV2": FILES,
    "SaveDataset": FILES,
    "SaveDatasetV2": FILES,
    "LoadDataset": FILES,
    "SnapshotDataset": FILES,
    "SnapshotDatasetV2": FILES,
    "CacheDataset": FILES,
    "CacheDatasetV2": FILES,
    "WriteAudioSummary": FILES,
    "WriteGraphSummary": FILES,
    "WriteHistogramSummary": FILES,
    "WriteImageSummary": FILES,
    "WriteRawProtoSummary": FILES,
    "WriteScalarSummary": FILES,
    "WriteSummary": FILES,
    "CreateSummaryFileWriter": FILES,
    "CreateSummaryDbWriter": FILES,
    "ImportEvent": FILES,
    "DebugIdentityV2": FILES,
    "DumpTensor": FILES,
    "Send": NETWORK,
    "Recv": NETWORK,
    "_Send": NETWORK,
    "_Recv": NETWORK,
    "_HostSend": NETWORK,
    "_HostRecv": NETWORK,
    "RpcCall": NETWORK,
    "RpcServer": NETWORK,
    "RpcServerStart": NETWORK,
    "RpcClient": NETWORK,
    "RegisterDataset": NETWORK,
    "RegisterDatasetV2": NETWORK,
    "DataServiceDataset": NETWORK,
    "DataServiceDatasetV2": NETWORK,
    "DataServiceDatasetV3": NETWORK,
    "DataServiceDatasetV4": NETWORK,
    "DistributedSave": NETWORK,
    "CollectiveReduce": NETWORK,
    "CollectiveReduceV2": NETWORK,
    "CollectiveGather": NETWORK,
    "CollectiveGatherV2": NETWORK,
    "CollectiveBcastSend": NETWORK,
    "CollectiveBcastRecv": NETWORK,
    "SqlDataset": NETWORK,
    "PyFunc": CODE,
    "PyFuncStateless": CODE,
    "EagerPyFunc": CODE,
    "NumpyFunction": CODE,
    "XlaCallModule": COMPILED,
    "XlaLaunch": CODE,
    "XlaLaunchV2": CODE,
    "TPUExecute": CODE,
    "TPUExecuteAndUpdateVariables": CODE,
    "Abort": CODE,
}
"""Op -> what it does outside of the model."""

GRANTABLE = frozenset(
    {
        *("GenerateVocabRemapping", "ImmutableConst", "LoadAndRemapMatrix", "MatchingFiles", "MergeV2Checkpoints"),
        *("ReadFile", "Restore", "RestoreSlice", "RestoreV2", "Save", "SaveSlices", "SaveV2", "WriteFile"),
    }
)
"""Ops that run where the caller grants them by name."""


def why_refused(op: str) -> str:
    """Why an op of CARE is not run, and how it can be, as the end of a sentence that begins with the op."""
    if op in GRANTABLE:
        return f"{CARE[op]} and is not run unless it is granted: allow=[{op!r}]"
    return f"{CARE[op]} and is not run"


def error_for(ops: Iterable[str]) -> type[UnsupportedError]:
    """The kind of error that says that these ops are not run."""
    return RefusedError if any(op in CARE for op in ops) else UnsupportedError


def needing_care(bodies: Iterable[Body]) -> dict[str, list[str]]:
    """The ops of CARE that stand in these bodies, each with the names of its nodes."""
    found: dict[str, list[str]] = {}
    for body in bodies:
        for node in body:
            if node.op in CARE:
                found.setdefault(node.op, []).append(node.name)
    return found
