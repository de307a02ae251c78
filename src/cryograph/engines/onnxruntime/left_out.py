"""Ops that have no lowering to ONNX, and why: what a refusal and the page of ops say about them. Numpy runs them."""

from __future__ import annotations

_REASONS: dict[str, tuple[str, ...]] = {
    "asks for a table of directions that ONNX files would have to hold": ("SobolSample",),
    "asks for the time": ("Timestamp",),
    "decodes or encodes files": (
        *("DecodeAndCropJpeg", "DecodeBmp", "DecodeGif", "DecodeImage", "DecodeJpeg", "DecodeJxl", "DecodePng"),
        *("DecodeWav", "DecodeWebP", "EncodeJpeg", "EncodeJpegVariableQuality", "EncodePng", "EncodeWav"),
        "ExtractJpegShape",
    ),
    "draws until what it has drawn fits, so that nobody knows how often": (
        *("AllCandidateSampler", "FixedUnigramCandidateSampler", "KMC2ChainInitialization"),
        *("KmeansPlusPlusInitialization", "LearnedUnigramCandidateSampler", "LogUniformCandidateSampler"),
        *("ParameterizedTruncatedNormal", "RandomGamma", "RandomPoisson", "RandomPoissonV2", "StatefulRandomBinomial"),
        *("StatelessParameterizedTruncatedNormal", "StatelessRandomBinomial", "StatelessRandomGammaV2"),
        *("StatelessRandomGammaV3", "StatelessRandomPoisson", "ThreadUnsafeUnigramCandidateSampler"),
        "UniformCandidateSampler",
    ),
    "draws where its windows begin": ("FractionalAvgPool", "FractionalMaxPool"),
    "gives the whole gradient to every place near the largest": ("MaxPool3DGrad",),
    "goes back through a sequence by formulas of its own": (
        *("BlockLSTMGrad", "BlockLSTMGradV2", "CudnnRNNBackprop", "CudnnRNNBackpropV2", "CudnnRNNBackpropV3"),
        *("GRUBlockCellGrad", "LSTMBlockCellGrad"),
    ),
    "goes on with a generator that is state": ("NonDeterministicInts", "cryograph.Draw", "cryograph.Learn"),
    "goes round until the numbers have settled, in which LAPACK, by numpy, is far ahead of loops in ONNX": (
        *("Eig", "MatrixExponential", "MatrixLogarithm", "MatrixSquareRoot"),
    ),
    "holds lists in tensors": (
        *("CompositeTensorVariantFromComponents", "CompositeTensorVariantToComponents", "EmptyTensorMap"),
        *("OptionalFromValue", "OptionalGetValue", "OptionalHasValue", "OptionalNone", "RaggedTensorFromVariant"),
        *("RaggedTensorToVariant", "TensorListConcatLists", "TensorListPushBackBatch", "TensorMapErase"),
        *("TensorMapHasKey", "TensorMapInsert", "TensorMapLookup", "TensorMapSize", "TensorMapStackKeys"),
    ),
    "is a series or a fraction of as many terms as its numbers ask for": ("Betainc", "IgammaGradA", "RandomGammaGrad"),
    "is a value or is worked out before an engine sees it": ("Const", "DeviceIndex", "FakeParam"),
    "keeps sparse tensors in a store": (
        *("AddManySparseToTensorsMap", "AddSparseToTensorsMap", "TakeManySparseFromTensorsMap"),
    ),
    "lays out weights as a kernel of NVIDIA's has them": (
        *("CudnnRNNCanonicalToParams", "CudnnRNNCanonicalToParamsV2", "CudnnRNNParamsSize"),
        *("CudnnRNNParamsToCanonical", "CudnnRNNParamsToCanonicalV2"),
    ),
    "prints numbers, which ONNX Runtime does in a form of its own": ("StringFormat",),
    "reads or writes messages and lines": (
        *("DecodeCSV", "DecodeJSONExample", "DecodeProtoV2", "DeserializeManySparse", "DeserializeSparse"),
        *("EncodeProto", "ParseExample", "ParseExampleV2", "ParseSequenceExample", "ParseSequenceExampleV2"),
        *("ParseSingleExample", "ParseSingleSequenceExample", "ParseTensor", "SerializeManySparse", "SerializeSparse"),
        "SerializeTensor",
    ),
    "rounds means to steps, where the order of adding decides": ("QuantizedInstanceNorm",),
    "spreads gradients over places that are worked out in the run": (
        *("CropAndResizeGradBoxes", "CropAndResizeGradImage", "Dilation2DBackpropFilter", "Dilation2DBackpropInput"),
        *("FractionalAvgPoolGrad", "FractionalMaxPoolGrad"),
    ),
    "takes bytes apart, or puts them together, that may be no text": (
        *("DecodeBase64", "DecodeCompressed", "DecodePaddedRaw", "DecodeRaw", "EncodeBase64", "SdcaFprint"),
        *("UnicodeEncode", "UnicodeScript", "UnicodeTranscode", "UnsortedSegmentJoin"),
    ),
    "walks along each sequence and back, or keeps the best of many ways": ("CTCBeamSearchDecoder",),
    "works item by item, each step of which waits for the last": (
        *("ComputeAccidentalHits", "EditDistance", "GenerateBoundingBoxProposals", "IsotonicRegression"),
        *("NearestNeighbors", "RandomIndexShuffle", "StatelessShuffle", "TridiagonalSolve"),
    ),
}

LEFT_OUT: dict[str, str] = {op: why for why, ops in _REASONS.items() for op in ops}
