"""Turns an upload into the model that serves: retrain.asl.json orders the stages."""
