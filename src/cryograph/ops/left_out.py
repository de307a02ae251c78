"""Ops of TensorFlow's core that no engine runs, and why: what an error and the page of ops say about them."""

from __future__ import annotations

_REASONS: dict[str, tuple[str, ...]] = {
    "moves data between the cores of an accelerator": (
        *("AllToAll", "CrossReplicaSum", "Prelinearize", "PrelinearizeTuple", "SyncDevice", "WorkerHeartbeat"),
        *("GlobalIterId", "DummyIterationCounter", "CheckPinned"),
    ),
    "lays out embeddings for the sparse cores of a TPU": (
        *("ConvertToCooTensor", "ConvertToListOfSparseCoreCooTensors", "ConvertToSparseCoreCsrWrappedCooTensor"),
        *("GetMinibatchSplitsWithPhysicalReplica", "GetMinibatchesInCsrWithPhysicalReplica"),
        *("GetStatsFromListOfSparseCoreCooTensors", "SortListOfSparseCoreCooTensors", "StoreMinibatchStatisticsInFdo"),
    ),
    "asks a store of boosted trees, which TensorFlow 2.21 has no kernels to fill": (
        *("IsBoostedTreesEnsembleInitialized", "IsBoostedTreesQuantileStreamResourceInitialized"),
    ),
    "is a step of TensorFlow's own solver for linear models": (*("SdcaOptimizer", "SdcaOptimizerV2"),),
    "configures how TensorFlow itself runs": (
        *("ExperimentalStatsAggregatorHandle", "ExperimentalThreadPoolHandle", "FileSystemSetConfiguration"),
        *("GetOptions", "StatsAggregatorHandle", "StatsAggregatorHandleV2"),
    ),
    "belongs to TensorFlow's input pipelines, at whose end a model is fed": (
        *("CompressElement", "ComputeBatchSize", "DummySeedGenerator", "GetElementAtIndex"),
        *("UncompressElement", "WindowOp"),
    ),
    "is registered, and made by no function of TensorFlow's": ("Fact",),
    "lacks an input that TensorFlow's kernel asks for; its second version runs": ("MutableDenseHashTable",),
    "decodes JPEG XL, for which no library is at hand": ("DecodeJxl",),
}

LEFT_OUT: dict[str, str] = {op: reason for reason, ops in _REASONS.items() for op in ops}
"""Op -> why no engine runs it, as the end of a sentence that begins with the op."""
