"""Turns an upload into the champion; retrain.asl.json orders the stages."""
