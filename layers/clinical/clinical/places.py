"""Where the champion lies: apart from `clinical.registry`, for a cold start asks before that."""

CHAMPION_KEY = "models/champion.json"
MODEL = "model.onnx"
REFERENCE = "reference.json"
