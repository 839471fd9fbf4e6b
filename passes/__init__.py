"""Graph passes, one per file, over `onnx_ir.Model`."""
