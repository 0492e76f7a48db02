"""Looks at what became of the model that serves: monitor.asl.json orders the stages."""
