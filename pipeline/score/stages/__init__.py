"""The stages of the score state machine, one per file."""
