"""The fast engine: programs become ONNX models, and ONNX Runtime runs them. Lowerings stand by family."""
