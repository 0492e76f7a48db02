"""A version's checks and its replay, drawn as on the site."""

import json
from typing import Any

from clinical.artefacts import Bucket, read_verified
from clinical.params import params
from clinical.registry import Version
from nicegui import app, ui

from local.site import SITE, described_study

DRAWN = ("verdict", "calibration_curve", "replayed", "data")  # of a card
STYLE = """
.checks { --quiet: #56635f; --hair: #dde2de; --accent: #0b6e69; --bad: #a33b12; }
.body--dark .checks { --quiet: #a3b0ab; --hair: #2b3632; --accent: #66cfc5; --bad: #ffab87; }
.checks { max-width: 100%; font-size: 0.875rem; }
.checks > * + * { margin-top: 0.5rem; }
.checks h2 { font-size: 1rem; font-weight: 600; line-height: 1.5; letter-spacing: 0; }
.checks h3 { font-size: 0.9375rem; font-weight: 600; line-height: 1.5; letter-spacing: 0; }
.checks > h3 { margin-top: 1.5rem; }
.checks .warning { padding: 0.5rem 0.75rem; border-left: 4px solid var(--bad); font-weight: 600; }
.checks .charts {
  display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr));
}
.checks ul { padding-left: 1.2rem; list-style: disc; }
.checks .hint { color: var(--quiet); }
.checks summary { display: list-item; list-style: disclosure-closed inside; cursor: pointer; }
.checks [open] > summary { list-style-type: disclosure-open; }
.checks .table { display: block; overflow-x: auto; }
.checks :is(th, td) { padding: 0.2rem 1rem 0.2rem 0; text-align: left; }
"""


class Checks(ui.element, component="checks.js"):
    """The checks of a card; without those that an earlier release's card lacks."""

    def __init__(self, card: dict[str, Any]) -> None:
        super().__init__()
        study = params()
        self._props["card"] = card
        self._props["target"] = described_study(study)["target"]
        self._props["labels"] = {name: study.label(name) for name in study.columns}


def install() -> None:
    """Serve the current modules of the site, which draw the checks."""
    app.add_static_files("/site", SITE, max_cache_age=0)


def add_style() -> None:
    """Add the style sheet for checks to this page."""
    ui.add_head_html('<link rel="stylesheet" href="/site/plot.css">')
    ui.add_css(STYLE)


def card_of(version: Version, bucket: Bucket) -> dict[str, Any]:
    """Read the parts of a version's card that its checks need, whatever release wrote it."""
    card = json.loads(read_verified(bucket, version.card))
    return {name: card[name] for name in DRAWN if name in card}
