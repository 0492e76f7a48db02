"""What the stages hand each other: whom a run is about, and where its findings lie."""

from typing import Literal

from clinical.artefacts import Artefact
from clinical.frozen import Frozen
from clinical.monitored import Retrained, Window
from clinical.registry import Champion


class Begun(Frozen):
    """Whether there is something to look at: the model that serves, and a window of its requests.

    captured: predictions that this run found in the log and in scored files, and that no run had
    captured before.
    """

    decision: Literal["monitor", "nothing_serves"]
    reason: str = ""
    window: Window
    champion: Champion | None = None
    captured: int = 0
    notes: tuple[str, ...] = ()

    @property
    def serving(self) -> Champion:
        """The model that this run is about; there is one where the decision is to monitor."""
        if self.champion is None:
            raise ValueError("no model serves, so no stage but the first should run")
        return self.champion


class Drifted(Frozen):
    """Where the `Drift` of the window lies, and what it comes to."""

    drift: Artefact
    drifted: bool
    says: str


class Joined(Frozen):
    """Where what was `Observed` of the window's predictions lies, and what it comes to.

    further: outcomes that the version did not learn from, and could; 0 where nobody wants to know.
    """

    observed: Artefact
    degraded: bool
    says: str
    further: int = 0


class Reported(Frozen):
    """Where the run's report lies, and the version's card with what became of it since."""

    report: Artefact
    card: Artefact


class Acted(Frozen):
    """The end of a run: what it alarms of, and why, in sentences; and what it did about that."""

    model_version: str
    date: str
    drifted: bool
    degraded: bool
    reasons: tuple[str, ...]
    retraining: Retrained | None = None
    report: Artefact
