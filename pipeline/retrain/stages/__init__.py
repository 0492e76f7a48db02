"""One stage a file, in the order of retrain.asl.json."""
