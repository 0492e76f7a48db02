"""One stage a file, in the order of score.asl.json."""
