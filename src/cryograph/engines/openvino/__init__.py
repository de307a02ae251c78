"""OpenVINO (the extra `openvino`) on the programs that the engine `onnxruntime` lowers."""
