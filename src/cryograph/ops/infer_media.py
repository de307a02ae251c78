"""Shapes of text, of parsed records, of decoded pictures and sound, and of detections."""

from __future__ import annotations

from ..base.shapes import Shape
from .facts import Call, Contradiction, Dim, Rule, add, broadcast, merge, merge_dim, sub, times
from .infer_common import Result, fixed, nothing_known, same_as_input, scalars, vectors

# Text


def _string_join(call: Call) -> Result:
    """Scalars beside strings that all have one shape."""
    shapes = [fact.shape for fact in call.inputs]
    shape: Shape = None
    for other in shapes:
        shape = shape if other == () else merge(shape, other)
    return [() if all(other == () for other in shapes) else shape]


def _string_format(call: Call) -> Result:
    return [()]


def _split_words(call: Call) -> Result:
    return [(None, 2), (None,), (2,)]


def _substr(call: Call) -> Result:
    merge(call.shape(1), call.shape(2))
    return [broadcast(call.shape(0), call.shape(1))]


def _unicode_decode(call: Call) -> Result:
    shape = call.shape(0)
    splits = None if shape is None else add(times(shape), 1)
    return [(splits,), (None,), (None,)][: len(call.outputs)]


def _unicode_encode(call: Call) -> Result:
    return [(sub(call.ranked(1, 1)[0], 1),)]


def _ngrams(call: Call) -> Result:
    return [(None,), call.ranked(1, 1)]


def _decode_raw(call: Call) -> Result:
    shape = call.shape(0)
    return [None if shape is None else (*shape, None)]


def _decode_padded_raw(call: Call) -> Result:
    shape, length = call.shape(0), call.scalar(1)
    if shape is None:
        return [None]
    width = call.outputs[0].itemsize
    return [(*shape, None if length is None or not width else length // width)]


def _decode_csv(call: Call) -> Result:
    return [call.shape(0)] * len(call.outputs)


def _fingerprint(call: Call) -> Result:
    """The only method there is, farmhash64, makes 8 bytes."""
    shape = call.at_least(0, 1)
    return [(None if shape is None else shape[0], 8)]


def _fingerprints(call: Call) -> Result:
    return [(call.ranked(0, 1)[0], 2)]


# Parsed records


def _dense_shapes(shapes: list[Shape], prefix: tuple[Dim, ...], count: int) -> list[Shape]:
    return [None if i >= len(shapes) or (shape := shapes[i]) is None else (*prefix, *shape) for i in range(count)]


def _parse_example(call: Call) -> Result:
    batch = call.ranked(0, 1)[0]
    sparse, dense = call.integer("Nsparse"), call.integer("Ndense")
    shapes = _dense_shapes(call.shapes_attr("dense_shapes"), (batch,), dense)
    return [*[(None, 2)] * sparse, *[(None,)] * sparse, *[(2,)] * sparse, *shapes]


def _parse_example_v2(call: Call) -> Result:
    serialized = call.shape(0)
    sparse, dense = call.integer("num_sparse"), len(call.attr("Tdense"))
    ragged = len(call.attr("ragged_value_types"))
    shapes = call.shapes_attr("dense_shapes")
    if serialized is None:
        return [*[(None, None)] * sparse, *[(None,)] * sparse, *[(None,)] * sparse, *[None] * dense]
    if len(serialized) > 1:
        raise Contradiction("serialized examples are a scalar or a vector")
    rank = len(serialized) + 1
    found = [*[(None, rank)] * sparse, *[(None,)] * sparse, *[(rank,)] * sparse]
    splits = add(serialized[0], 1) if serialized else None
    values = [*[(None,)] * ragged, *[(splits,) if serialized else (None,)] * ragged]
    return [*found, *_dense_shapes(shapes, tuple(serialized), dense), *values]


def _parse_single_example(call: Call) -> Result:
    sparse = call.integer("num_sparse")
    dense = len(call.attr("Tdense"))
    shapes = _dense_shapes(call.shapes_attr("dense_shapes"), (), dense)
    return [*[(None, 1)] * sparse, *[(None,)] * sparse, *[(1,)] * sparse, *shapes]


def _parse_sequence(call: Call) -> Result:
    """Context features, and lists of features with one dimension more; a single example has no batch dimension."""
    single = call.op == "ParseSingleSequenceExample"
    batch: Shape = () if single else call.shape(0) if call.op.endswith("V2") else call.ranked(0, 1)
    if batch is None:
        return [None] * len(call.outputs)
    rank, sparse, lists = len(batch) + 1, call.integer("Ncontext_sparse"), call.integer("Nfeature_list_sparse")
    dense, list_dense = len(call.attr("Tcontext_dense")), len(call.attr("feature_list_dense_types"))
    splits = add(batch[0], 1) if batch else None
    found: list[Shape] = [*[(None, rank)] * sparse, *[(None,)] * sparse, *[(rank,)] * sparse]
    found += _dense_shapes(call.shapes_attr("context_dense_shapes"), batch, dense)
    if call.op.endswith("V2"):
        ragged = len(call.attr("context_ragged_value_types"))
        found += [*[(None,)] * ragged, *[(splits,)] * ragged]
    found += [*[(None, rank + 1)] * lists, *[(None,)] * lists, *[(rank + 1,)] * lists]
    found += _dense_shapes(call.shapes_attr("feature_list_dense_shapes"), (*batch, None), list_dense)
    lengths: list[Shape] = [] if single else [batch] * call.integer("Nfeature_list_dense")
    ragged = (len(call.outputs) - len(found) - len(lengths)) // 3
    return [*found, *lengths, *[(None,)] * ragged, *[(splits,)] * ragged, *[(None,)] * ragged]


def _decode_proto(call: Call) -> Result:
    batch, fields = call.shape(0), len(call.outputs) - 1
    if batch is None:
        return [None] * len(call.outputs)
    return [(*batch, fields), *[(*batch, None)] * fields]


def _encode_proto(call: Call) -> Result:
    """All inputs have one shape but for the last dimension."""
    batch: Shape = None
    for i in range(len(call.inputs)):
        shape = call.at_least(i, 1)
        batch = merge(batch, None if shape is None else shape[:-1])
    return [batch]


# Pictures and sound


def _decode_image(call: Call) -> Result:
    channels = call.integer("channels")
    known = None if channels == 0 else channels
    if call.op == "DecodeImage":
        return [(None, None, known) if not call.flag("expand_animations") else None]
    return [(None, None, known)]


def _decode_webp(call: Call) -> Result:
    channels = call.integer("channels")
    return [(None, None, None, None if channels == 0 else channels)]


def _decode_gif(call: Call) -> Result:
    return [(None, None, None, 3)]


def _decode_and_crop(call: Call) -> Result:
    channels = call.integer("channels")
    window = call.numbers(1)
    height, width = (window[2], window[3]) if window is not None and len(window) == 4 else (None, None)
    return [(height, width, None if channels == 0 else channels)]


def _encode_png(call: Call) -> Result:
    shape = call.shape(0)
    return [None if shape is None else shape[:-3]]


def _decode_wav(call: Call) -> Result:
    channels, samples = call.integer("desired_channels"), call.integer("desired_samples")
    return [(None if samples < 0 else samples, None if channels < 0 else channels), ()]


def _random_crop(call: Call) -> Result:
    """The height and width asked for, and the channels of the picture."""
    size = call.dims(1)
    return [(*(size or (None, None)), call.ranked(0, 3)[2])]


def _distorted_box(call: Call) -> Result:
    return [(3,), (3,), (1, 1, 4)]


# Detections


def _suppression(call: Call) -> Result:
    boxes = call.ranked(0, 2)
    if call.op != "NonMaxSuppressionWithOverlaps":
        merge_dim(boxes[0], call.ranked(1, 1)[0])
    padded = "pad_to_max_output_size" in call.attrs and call.flag("pad_to_max_output_size")
    count = call.scalar(2) if padded else None
    if call.op == "NonMaxSuppressionV4":
        return [(count,), ()]
    return [(count,), (count,), ()][: len(call.outputs)]


def _combined_suppression(call: Call) -> Result:
    boxes, scores = call.ranked(0, 4), call.ranked(1, 3)
    batch = merge_dim(boxes[0], scores[0])
    per_class, total = call.scalar(2), call.scalar(3)
    count = total
    if call.flag("pad_per_class"):
        each = None if per_class is None or scores[2] is None else per_class * scores[2]
        count = None if each is None or total is None else min(each, total)
    return [(batch, count, 4), (batch, count), (batch, count), (batch,)]


def _proposals(call: Call) -> Result:
    scores = call.ranked(0, 4)
    count = call.integer("post_nms_topn")
    return [(scores[0], count, 4), (scores[0], count)]


def _detection_postprocess(call: Call) -> Result:
    count = call.integer("max_detections") * call.integer("max_classes_per_detection")
    return [(1, count, 4), (1, count), (1, count), (1,)]


INFER: dict[str, Rule] = {
    "CombinedNonMaxSuppression": _combined_suppression,
    "DecodeAndCropJpeg": _decode_and_crop,
    "DecodeBmp": _decode_image,
    "DecodeCSV": _decode_csv,
    "DecodeCompressed": same_as_input,
    "DecodeGif": _decode_gif,
    "DecodeImage": _decode_image,
    "DecodeJSONExample": same_as_input,
    "DecodeJpeg": _decode_image,
    "DecodeJxl": _decode_image,
    "DecodePaddedRaw": _decode_padded_raw,
    "DecodePng": _decode_image,
    "DecodeRaw": _decode_raw,
    "DecodeWav": _decode_wav,
    "DecodeWebP": _decode_webp,
    "DecodeProtoV2": _decode_proto,
    "EncodeJpeg": scalars,
    "EncodeJpegVariableQuality": scalars,
    "EncodePng": _encode_png,
    "EncodeProto": _encode_proto,
    "EncodeWav": scalars,
    "ExtractJpegShape": fixed((3,)),
    "Fingerprint": _fingerprint,
    "GenerateBoundingBoxProposals": _proposals,
    "MatchingFiles": vectors,
    "NonMaxSuppression": _suppression,
    "NonMaxSuppressionV2": _suppression,
    "NonMaxSuppressionV3": _suppression,
    "NonMaxSuppressionV4": _suppression,
    "NonMaxSuppressionV5": _suppression,
    "NonMaxSuppressionWithOverlaps": _suppression,
    "ParseExample": _parse_example,
    "ParseExampleV2": _parse_example_v2,
    "ParseSequenceExample": _parse_sequence,
    "ParseSequenceExampleV2": _parse_sequence,
    "ParseSingleExample": _parse_single_example,
    "ParseSingleSequenceExample": _parse_sequence,
    "ParseTensor": nothing_known,
    "ReadFile": scalars,
    "Restore": nothing_known,
    "RestoreSlice": nothing_known,
    "RestoreV2": nothing_known,
    "RandomCrop": _random_crop,
    "SampleDistortedBoundingBox": _distorted_box,
    "SampleDistortedBoundingBoxV2": _distorted_box,
    "SerializeTensor": scalars,
    "ShardedFilename": scalars,
    "ShardedFilespec": scalars,
    "StatelessSampleDistortedBoundingBox": _distorted_box,
    "StringFormat": _string_format,
    "StringJoin": _string_join,
    "StringNGrams": _ngrams,
    "StringSplit": _split_words,
    "StringSplitV2": _split_words,
    "Substr": _substr,
    "TFLite_Detection_PostProcess": _detection_postprocess,
    "UnicodeDecode": _unicode_decode,
    "UnicodeDecodeWithOffsets": _unicode_decode,
    "UnicodeEncode": _unicode_encode,
    "SdcaFprint": _fingerprints,
}
