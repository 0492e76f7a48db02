"""ministack, with what AWS does and it does not; a script, run in an environment of its own."""
