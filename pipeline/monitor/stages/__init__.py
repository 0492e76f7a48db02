"""One stage a file, in the order of monitor.asl.json."""
