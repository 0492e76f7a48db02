"""What it takes to serve: ONNX Runtime, and the champion as something that scores."""
