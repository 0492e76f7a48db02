"""Scores a file of patients; score.asl.json orders the stages."""
