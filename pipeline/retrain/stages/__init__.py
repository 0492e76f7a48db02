"""The stages of the retrain state machine, one per file."""
