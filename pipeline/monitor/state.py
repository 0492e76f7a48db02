"""The stages' inputs and outputs: the version that a run is about, and its stored findings."""

from typing import Literal

from clinical.artefacts import Artefact
from clinical.frozen import Frozen
from clinical.monitored import Retrained, Window
from clinical.registry import Champion


class Begun(Frozen):
    """Whether there is anything to monitor: the champion, and a window of requests.

    captured: new predictions that this run found in the log and in scored files.
    """

    decision: Literal["monitor", "nothing_serves"]
    reason: str = ""
    window: Window
    champion: Champion | None = None
    captured: int = 0
    notes: tuple[str, ...] = ()

    @property
    def serving(self) -> Champion:
        """The model that this run is about; there is one if the decision is to monitor."""
        if self.champion is None:
            raise ValueError("no model serves, so only the first stage should run")
        return self.champion


class Drifted(Frozen):
    """Where the window's `Drift` is stored, and its result."""

    drift: Artefact
    drifted: bool
    says: str


class Joined(Frozen):
    """Where the window's `Observed` outcomes are stored, and their result.

    further: outcomes that the version was not trained on, but could be; 0 if not counted.
    """

    observed: Artefact
    degraded: bool
    says: str
    further: int = 0


class Reported(Frozen):
    """Where the run's report and the version's updated card are stored."""

    report: Artefact
    card: Artefact


class Acted(Frozen):
    """The result of a run: its alarms and reasons, in sentences, and what it did."""

    model_version: str
    date: str
    drifted: bool
    degraded: bool
    reasons: tuple[str, ...]
    retraining: Retrained | None = None
    report: Artefact
