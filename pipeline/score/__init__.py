"""Predicts for every row of an upload: score.asl.json orders the stages."""
