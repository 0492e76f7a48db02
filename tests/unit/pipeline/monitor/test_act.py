from collections.abc import Callable
from typing import Any

import pytest
from clinical.artefacts import Artefact
from clinical.registry import Champion
from monitor.stages.act import act
from monitor.state import Acted, Reported

from tests.monitored import MOVED, TOO_FEW, WORSE, nothing
from tests.pipeline import ran
from tests.unit.conftest import emf_lines
from tests.unit.pipeline.monitor.conftest import Inputs

LIES = Artefact(key="monitor/2026-11-25.json", sha256="0" * 64)


def acted(inputs: Inputs) -> Acted:
    reported = Reported(report=LIES, card=LIES).model_dump()
    return Acted.model_validate(ran(act, "one", inputs | {"reported": reported}))


def told(printed: str) -> dict[str, Any]:
    """The one line of the run, whose only dimension is the service."""
    (line,) = [one for one in emf_lines(printed) if "MonitorRuns" in one]
    assert [one["Dimensions"] for one in line["_aws"]["CloudWatchMetrics"]] == [[["service"]]]
    return {name: value[0] for name, value in line.items() if isinstance(value, list)}


def test_a_run_that_alarms_says_of_what(
    found: Callable[..., Inputs], champion: Champion, capsys: pytest.CaptureFixture[str]
) -> None:
    came_to = acted(found())

    assert came_to == Acted(
        model_version=champion.version,
        date="2026-11-25",
        drifted=True,
        degraded=True,
        reasons=(MOVED, WORSE),
        report=LIES,
    )
    assert told(capsys.readouterr().out) == {
        "MonitorRuns": 1,
        "Drifted": 1,
        "Degraded": 1,
        "CapturedPredictions": 7,
        "RecordedOutcomes": 140,
        "DriftPValue": 0.00005,
        "LiveRMSE": 1.31,
        "LiveAverageRMSE": 1.52,
        "LiveCoverage": 0.83,
    }


def test_a_run_with_too_little_to_tell_alarms_of_nothing_and_has_no_figures(
    found: Callable[..., Inputs], capsys: pytest.CaptureFixture[str]
) -> None:
    came_to = acted(found(nothing()))

    assert (came_to.drifted, came_to.degraded) == (False, False)
    assert came_to.reasons == (TOO_FEW, "No outcome was recorded yet.")
    assert told(capsys.readouterr().out) == {
        "MonitorRuns": 1,
        "Drifted": 0,
        "Degraded": 0,
        "CapturedPredictions": 7,
        "RecordedOutcomes": 0,
    }
