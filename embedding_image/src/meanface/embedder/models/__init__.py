"""Other embedders: model cards, which describe networks that ONNX Runtime computes."""
