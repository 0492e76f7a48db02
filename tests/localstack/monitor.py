"""Every way through the machine that monitors: what is asked and answered, where it ends."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from clinical.artefacts import Artefact
from clinical.errors import (
    ArtefactCorrupted,
    InputInvalid,
    LogUnavailable,
    MachineUnavailable,
    StorageDenied,
    StorageUnavailable,
)
from clinical.monitored import Retrained, Window
from clinical.registry import Champion, Promotion
from monitor.state import Acted, Begun, Drifted, Joined, Reported

from tests.localstack.cases import Answer, Case, LambdaFailed, Machine
from tests.localstack.retrain import EVALUATED, VERSION

UNTIL = datetime(2026, 10, 31, tzinfo=UTC)
WINDOW = Window(date=UNTIL.date(), since=UNTIL - timedelta(days=28), until=UNTIL)
CHAMPION = Champion(
    version=VERSION,
    files={},
    verdict=EVALUATED.verdict,
    execution="one",
    published_at=UNTIL,
    sequence=1,
    promoted_at=UNTIL,
    promotion=Promotion(who="ada@example", why="It was better.", execution="one"),
    previous=None,
)
BEGUN = Begun(decision="monitor", window=WINDOW, champion=CHAMPION, captured=1400)
NOTHING_SERVES = Begun(
    decision="nothing_serves", reason="No model was promoted yet.", window=WINDOW, captured=3
)
OF_REQUESTS = "Sertraline 7 → 13% of requests"
OF_OUTCOMES = "Too few outcomes to tell: 12 of 50"


def drifted(*, alarms: bool) -> Drifted:
    return Drifted(drift=_artefact("drift/drift.json"), drifted=alarms, says=OF_REQUESTS)


def joined(*, alarms: bool) -> Joined:
    return Joined(observed=_artefact("outcomes/observed.json"), degraded=alarms, says=OF_OUTCOMES)


def acted(
    *, of_drift: bool = False, of_outcomes: bool = False, retraining: Retrained | None = None
) -> Acted:
    reasons = [OF_REQUESTS] * of_drift + [OF_OUTCOMES] * of_outcomes
    return Acted(
        model_version=VERSION,
        date=str(WINDOW.date),
        drifted=of_drift,
        degraded=of_outcomes,
        reasons=tuple(reasons),
        retraining=retraining,
        report=REPORTED.report,
    )


def _artefact(name: str) -> Artefact:
    return Artefact(key=f"runs/one/{name}", sha256="0" * 64)


def ended(acted: Acted) -> dict[str, Any]:
    """The output of an execution that came to its end."""
    alarms = acted.drifted or acted.degraded
    return {"decision": "alarmed" if alarms else "monitored", **acted.model_dump(mode="json")}


REPORTED = Reported(
    report=Artefact(key="monitor/2026-10-31.json", sha256="0" * 64),
    card=Artefact(key=f"models/{VERSION}/card.md", sha256="0" * 64),
)
ORDINARY: Mapping[str, tuple[Answer, ...]] = {
    "Capture": (BEGUN,),
    "Drift": (drifted(alarms=False),),
    "JoinOutcomes": (joined(alarms=False),),
    "Report": (REPORTED,),
    "Act": (acted(),),
}

INVALID = InputInvalid("untill is unknown.")
UNAVAILABLE = StorageUnavailable("S3 answered 503 for s3://artifacts/captures/2026-10-30")
LOG_UNAVAILABLE = LogUnavailable("CloudWatch answered ThrottlingException for the log group api")
DENIED = StorageDenied("the role is not allowed to access s3://artifacts/captures/2026-10-30")
CORRUPTED = ArtefactCorrupted("captures/2026-10-30/manifest.json was altered since it was written")
NO_ROOM = LambdaFailed()
NOT_STARTED = MachineUnavailable("Step Functions answered ThrottlingException for retrain")
STARTED = Retrained(execution="drift-2026-10-31", says="Retraining as drift-2026-10-31.")
ONLY_THE_ALARM = Retrained(says="Nothing is retrained. Only the alarm is raised.")

TO_ACT = "Capture Captured Drift JoinOutcomes Report Act"
TO_THE_END = f"{TO_ACT} Acted NoAlarm"
ALARMED = f"{TO_ACT} Acted Alarmed"

CASES: Mapping[str, Case] = {
    "Scheduled": Case(asked={}, path=TO_THE_END, ends=ended(acted())),
    "OfThePast": Case(asked={"until": "2026-10-31"}, path=TO_THE_END, ends=ended(acted())),
    "RequestsDrifted": Case(
        asked={},
        answers={"Drift": (drifted(alarms=True),), "Act": (acted(of_drift=True),)},
        path=ALARMED,
        ends=ended(acted(of_drift=True)),
    ),
    "ModelDegraded": Case(
        asked={},
        answers={"JoinOutcomes": (joined(alarms=True),), "Act": (acted(of_outcomes=True),)},
        path=ALARMED,
        ends=ended(acted(of_outcomes=True)),
    ),
    "Both": Case(
        asked={},
        answers={
            "Drift": (drifted(alarms=True),),
            "JoinOutcomes": (joined(alarms=True),),
            "Act": (acted(of_drift=True, of_outcomes=True),),
        },
        path=ALARMED,
        ends=ended(acted(of_drift=True, of_outcomes=True)),
    ),
    "Retrained": Case(
        asked={},
        answers={
            "JoinOutcomes": (joined(alarms=True),),
            "Act": (acted(of_outcomes=True, retraining=STARTED),),
        },
        path=ALARMED,
        ends=ended(acted(of_outcomes=True, retraining=STARTED)),
    ),
    "NothingNewToLearn": Case(
        asked={},
        answers={
            "JoinOutcomes": (joined(alarms=True),),
            "Act": (acted(of_outcomes=True, retraining=ONLY_THE_ALARM),),
        },
        path=ALARMED,
        ends=ended(acted(of_outcomes=True, retraining=ONLY_THE_ALARM)),
    ),
    "RetrainedWhenTriedAgain": Case(
        asked={},
        answers={"Act": (NOT_STARTED, NOT_STARTED, acted(of_drift=True, retraining=STARTED))},
        path=ALARMED,
        ends=ended(acted(of_drift=True, retraining=STARTED)),
    ),
    "NeverStarted": Case(
        asked={},
        answers={"Act": (NOT_STARTED,) * 5},
        path=TO_ACT,
        ends=("MachineUnavailable", str(NOT_STARTED)),
    ),
    "NothingServes": Case(
        asked={},
        answers={"Capture": (NOTHING_SERVES,)},
        path="Capture Captured NothingServes",
        ends={"decision": "nothing_serves", "reason": NOTHING_SERVES.reason},
    ),
    "InputInvalid": Case(
        asked={"untill": "2026-10-31"},
        answers={"Capture": (INVALID,)},
        path="Capture InputInvalid",
        ends=("InputInvalid", str(INVALID)),
    ),
    "InputAnArray": Case(
        asked=["2026-10-31"],
        answers={"Capture": (INVALID,)},
        path="Capture InputInvalid",
        ends=("InputInvalid", str(INVALID)),
    ),
    "StorageThenLogUnavailable": Case(
        asked={},
        answers={"Capture": (UNAVAILABLE, LOG_UNAVAILABLE, BEGUN)},
        path=TO_THE_END,
        ends=ended(acted()),
    ),
    "NoRoomTwice": Case(
        asked={},
        answers={"JoinOutcomes": (NO_ROOM, NO_ROOM, joined(alarms=False))},
        path=TO_THE_END,
        ends=ended(acted()),
    ),
    "CaptureDenied": Case(
        asked={},
        answers={"Capture": (DENIED,)},
        path="Capture",
        ends=("StorageDenied", str(DENIED)),
    ),
    "CapturesAltered": Case(
        asked={},
        answers={"Drift": (CORRUPTED,)},
        path="Capture Captured Drift",
        ends=("ArtefactCorrupted", str(CORRUPTED)),
    ),
    "ReportStaysUnavailable": Case(
        asked={},
        answers={"Report": (UNAVAILABLE,) * 5},
        path="Capture Captured Drift JoinOutcomes Report",
        ends=("StorageUnavailable", str(UNAVAILABLE)),
    ),
}

MONITOR = Machine("monitor", ORDINARY, CASES)
