"""Export: a model and its encodings as an ONNX file that onnxruntime runs with the same numbers."""
