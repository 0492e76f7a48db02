"""Serve the console on loopback: `python -m local.console --home … --port …`."""

import argparse
from pathlib import Path

from nicegui import ui

from local.console import pages


def main() -> None:
    """Serve until the process ends."""
    parser = argparse.ArgumentParser(prog="python -m local.console", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    pages.install(arguments.home)
    ui.run(
        host="127.0.0.1",
        port=arguments.port,
        title="Clinical outcomes: console",
        dark=None,  # as the system has it
        show=False,
        reload=False,
        show_welcome_message=False,
    )


if __name__ == "__main__":
    main()
