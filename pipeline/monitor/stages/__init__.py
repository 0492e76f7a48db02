"""The stages of the monitor state machine, one per file."""
