"""Ops that have no lowering to ONNX, and why: what a refusal and the page of ops say about them. Numpy runs them."""

from __future__ import annotations

_REASONS: dict[str, tuple[str, ...]] = {
    "asks for the time": ("Timestamp",),
    "decodes or encodes files": (
        *("DecodeAndCropJpeg", "DecodeBmp", "DecodeGif", "DecodeImage", "DecodeJpeg", "DecodePng", "DecodeWav"),
        *("DecodeWebP", "EncodeJpeg", "EncodeJpegVariableQuality", "EncodePng", "EncodeWav", "ExtractJpegShape"),
    ),
    "draws into pictures line by line": ("DrawBoundingBoxes", "DrawBoundingBoxesV2"),
    "draws where its windows begin": ("FractionalAvgPool", "FractionalMaxPool"),
    "fills what lies outside of a picture with noise": ("ExtractGlimpse", "ExtractGlimpseV2"),
    "folds numbers by a function of its own": (
        *("XlaReduce", "XlaReduceWindow", "XlaScatter", "XlaSelectAndScatter", "XlaVariadicReduce"),
        *("XlaVariadicReduceV2", "XlaVariadicSort"),
    ),
    "gives the whole gradient to every place near the largest": ("MaxPool3DGrad",),
    "goes round until the numbers have settled, in which LAPACK, by numpy, is far ahead of loops in ONNX": (
        *("BatchSelfAdjointEig", "BatchSelfAdjointEigV2", "BatchSvd", "Eig", "MatrixExponential", "MatrixLogarithm"),
        *("MatrixSquareRoot", "SelfAdjointEig", "SelfAdjointEigV2", "Svd"),
    ),
    "holds lists in tensors": (
        *("RaggedTensorFromVariant", "RaggedTensorToVariant", "TensorListConcatLists", "TensorListPushBackBatch"),
    ),
    "prints numbers, which ONNX Runtime does in a form of its own": ("StringFormat",),
    "reads or writes messages and lines": (
        *("DecodeCSV", "DeserializeManySparse", "DeserializeSparse", "ParseExample", "ParseExampleV2"),
        *("ParseSingleExample", "ParseTensor", "SerializeManySparse", "SerializeSparse", "SerializeTensor"),
    ),
    "reads the bits of numbers, which ONNX has no operator for": ("NextAfter", "XlaReducePrecision"),
    "reads the bytes of strings, which ONNX has no operator for": (
        *("DecodeBase64", "DecodeCompressed", "DecodePaddedRaw", "DecodeRaw", "EncodeBase64", "Fingerprint"),
        *("StringLength", "StringStrip", "StringToHashBucket", "StringToHashBucketFast", "StringToHashBucketStrong"),
        *("Substr", "UnicodeDecode", "UnicodeDecodeWithOffsets", "UnicodeEncode", "UnicodeScript", "UnicodeTranscode"),
    ),
    "rounds means to steps, where the order of adding decides": ("QuantizedInstanceNorm",),
    "spreads gradients over places that are worked out in the run": (
        *("CropAndResizeGradBoxes", "CropAndResizeGradImage", "Dilation2DBackpropFilter", "Dilation2DBackpropInput"),
        *("FractionalAvgPoolGrad", "FractionalMaxPoolGrad"),
    ),
    "walks along each sequence and back, or keeps the best of many ways": (
        *("CTCBeamSearchDecoder", "CTCLoss", "CTCLossV2"),
    ),
}

LEFT_OUT: dict[str, str] = {op: why for why, ops in _REASONS.items() for op in ops}
