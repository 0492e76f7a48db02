"""The cloud on a laptop: starts ministack, deploys the stack, retrains and predicts."""

import gc
import os
import signal
import sys

ON_AWS = "local.site"  # the one command that asks AWS

if sys.argv[0] == "-m":  # as it is while `python -m` looks for what to run
    # Until `imported`: what a command imports stays, and to look through it for garbage takes a
    # tenth of the time of a short one.
    gc.disable()
    # Until `main` handles it: its imports take a second, and Ctrl-C must end in a sentence then,
    # too, not in a traceback. Other commands have nothing to end, and leave it at that.
    when = b" before anything was started" if "local" in sys.orig_argv else b""
    sentence = b"Interrupted%b.\n" % when
    signal.signal(signal.SIGINT, lambda *_: (os.write(2, sentence), os._exit(130)))

if ON_AWS not in sys.orig_argv:  # where credentials of `aws login` are read by native code
    # Otherwise botocore reads uploads in native code, which prints a traceback of its own if it is
    # interrupted.
    os.environ.setdefault("BOTO_DISABLE_CRT", "true")
    if sys.argv[0] == "-m":
        # boto3 imports these wherever they are installed, though neither is used then: they take a
        # seventh of the time of a short command. None says that a module cannot be imported.
        for unused in ("awscrt", "OpenSSL"):
            sys.modules[unused] = None  # type: ignore[assignment]
    # A company's proxy, which a shell names for what is elsewhere, does not reach this machine.
    excepted = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    if excepted.strip() != "*":  # which excepts all, but only on its own
        excepted = ",".join(filter(None, (excepted, "localhost", "127.0.0.1", "::1")))
    os.environ.update(no_proxy=excepted, NO_PROXY=excepted)


def imported() -> None:
    """Turn garbage collection on again, from here on for what a command leaves behind."""
    gc.freeze()
    gc.enable()
