"""Monitors the champion; monitor.asl.json orders the stages."""
