"""Where the champion is: apart from `clinical.registry`, which a cold start imports later."""

CHAMPION_KEY = "models/champion.json"
MODEL = "model.onnx"
REFERENCE = "reference.json"
