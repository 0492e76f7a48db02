"""The cloud on a laptop: ministack started, the stack deployed to it, retrained and asked."""

import os
import signal
import sys

if sys.argv[0] == "-m":  # as it is while `python -m` looks for what to run
    # Until `main` can tell it better: what it imports takes a second, and Ctrl-C then, too, is told
    # in a sentence and not in a trace.
    signal.signal(
        signal.SIGINT,
        lambda *_: (os.write(2, b"Interrupted before anything was started.\n"), os._exit(130)),
    )

# botocore would read what it uploads in native code, which prints a trace of its own where somebody
# interrupts that.
os.environ.setdefault("BOTO_DISABLE_CRT", "true")
