"""Ministack, with corrections where it differs from AWS; a script with its own environment."""
