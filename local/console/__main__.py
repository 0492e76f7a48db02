"""Serve the console on loopback: `python -m local.console --home … --port …`."""

import argparse
from pathlib import Path

from clinical.params import params
from nicegui import ui

from local import imported, studies
from local.console import pages
from local.studies import study_of

# A page that does not answer keeps this long what was typed and clicked, whether its tab sleeps or
# its machine is busy; after that it is reloaded. NiceGUI's default is three seconds.
RECONNECT_SECONDS = 600.0


def main() -> None:
    """Serve until the process ends."""
    imported()
    parser = argparse.ArgumentParser(prog="python -m local.console", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--study", default="")
    arguments = parser.parse_args()
    study = study_of(arguments.study)
    studies.choose(study)
    pages.install(arguments.home, study)
    ui.run(
        host="127.0.0.1",
        port=arguments.port,
        title=f"{params().study.title}: console",
        dark=None,  # as in the system's settings
        show=False,
        reload=False,
        reconnect_timeout=RECONNECT_SECONDS,
        show_welcome_message=False,
    )


if __name__ == "__main__":
    main()
