"""Every way through the machine that scores: what it is asked, what is answered, where it ends."""

import json
from collections.abc import Mapping
from typing import Any

from clinical.artefacts import Artefact, RawObject
from clinical.errors import (
    ArtefactMissing,
    DatasetRejected,
    DatasetUnreadable,
    InputInvalid,
    ModelUnavailable,
    StorageDenied,
    StorageUnavailable,
)
from score.state import Divided, Part, Plan, Scored, Summarised

from tests.localstack.cases import Answer, Case, LambdaFailed, Machine

KEY = "score/in/cohort.csv"
INLINE = 40  # parts at most that an execution scores within itself
FEW, MANY = 3, INLINE + 1
PLAN = Plan(
    source=RawObject(key=KEY, version_id="a version of it"),
    details=Artefact(key="runs/one/split/details.json", sha256="0" * 64),
).model_dump(mode="json")


def split(parts: int) -> dict[str, Any]:
    """What `split` makes of a file of so many parts."""
    part_bytes, part_rows = 8 << 20, 100_000
    divided = Divided(
        plan=Plan.model_validate(PLAN),
        parts=tuple(
            Part(
                number=number,
                start=number * part_bytes,
                end=(number + 1) * part_bytes,
                first_row=1 + number * part_rows,
            )
            for number in range(parts)
        ),
    )
    return divided.model_dump(mode="json")


def summarised(parts: int) -> dict[str, Any]:
    return Summarised(
        summary=Artefact(key="score/out/one/summary.json", sha256="0" * 64),
        rows=100_000 * parts,
        scored=99_999 * parts,
        refused=parts,
        parts=parts,
        notes=("Read as semicolon-separated.",),
    ).model_dump(mode="json")


def scored(parts: int) -> dict[str, Any]:
    return {"decision": "scored", **summarised(parts)}


PART = Scored(number=0, rows=100_000, scored=99_999, refused=1).model_dump()  # passed by
HANDLED = Divided(
    plan=Plan(
        decision="already_handled",
        reason=f"one has been handling this version of {KEY}.",
        source=RawObject(key=KEY, version_id="a version of it"),
    )
).model_dump(mode="json")
ORDINARY: Mapping[str, tuple[Answer, ...]] = {
    "Split": (split(FEW),),
    "ScorePart": (PART,) * FEW,
    "ScorePartMany": (PART,) * MANY,
    "Summarise": (summarised(FEW),),
}

UPLOADED = {
    "score": {"key": KEY, "version_id": "a version of it"},
    "event": {"id": "an event's", "sequencer": "0061"},
}
BY_HAND = {"score": KEY}

INVALID = InputInvalid("scores is unknown.")
UNREADABLE = DatasetUnreadable(
    f"{KEY} cannot be read: in row 2, a quote is opened and never closed"
)
LONG = DatasetUnreadable(f"{KEY} cannot be read: {'in row 2, a quote is opened, ' * 20}")
REJECTED = DatasetRejected('{"rows": 0, "problems": [{"rule": "column_missing", "column": "Age"}]}')
NO_MODEL = ModelUnavailable("No model has been promoted yet")
UNAVAILABLE = StorageUnavailable("S3 answered 503 for s3://raw/score/in/cohort.csv")
DENIED = StorageDenied("the role is not allowed to access s3://raw/score/out/one/part-00000.csv")
MISSING = ArtefactMissing("s3://artifacts/runs/one/score_part/2.json does not exist")
# Under these names Step Functions tells of a worker that ended before it answered.
KILLED = LambdaFailed(
    "Runtime.ExitError",
    json.dumps(
        {
            "errorType": "Runtime.ExitError",
            "errorMessage": "RequestId: 1 Error: Runtime exited with error: signal: killed",
        }
    ),
)
TIMED_OUT = LambdaFailed("Sandbox.Timedout", "RequestId: 1 Error: Task timed out after 840.00 s")
UNKNOWN = LambdaFailed("Lambda.Unknown", "The cause could not be determined")
NO_ROOM = LambdaFailed()
TRIES = 4  # of a part: once, and three times again
TOO_MANY_FAILED = (
    "States.ExceedToleratedFailureThreshold",
    "The specified tolerated failure threshold was exceeded",
)

SCORE_FEW = "Split Divided ScoreParts"
SCORE_MANY = "Split Divided ScoreManyParts"
TO_THE_END = "Summarise Scored"


def _of_many(**answers: tuple[Answer, ...]) -> dict[str, tuple[Answer, ...]]:
    """The answers for a file of more parts than an execution scores within itself."""
    return {"Split": (split(MANY),), "Summarise": (summarised(MANY),), **answers}


CASES: Mapping[str, Case] = {
    "Uploaded": Case(
        asked=UPLOADED,
        path=f"{SCORE_FEW} {TO_THE_END}",
        within={"ScorePart": FEW},
        ends=scored(FEW),
    ),
    "OfOnePart": Case(
        asked=BY_HAND,
        answers={"Split": (split(1),), "Summarise": (summarised(1),)},
        path=f"{SCORE_FEW} {TO_THE_END}",
        within={"ScorePart": 1},
        ends=scored(1),
    ),
    "OfAsManyAsFit": Case(
        asked=BY_HAND,
        answers={
            "Split": (split(INLINE),),
            "ScorePart": (PART,) * INLINE,
            "Summarise": (summarised(INLINE),),
        },
        path=f"{SCORE_FEW} {TO_THE_END}",
        within={"ScorePart": INLINE},
        ends=scored(INLINE),
    ),
    "OfMany": Case(
        asked=UPLOADED,
        answers=_of_many(),
        path=f"{SCORE_MANY} Readable {TO_THE_END}",
        within={"ScorePartMany": MANY},
        ends=scored(MANY),
    ),
    "AlreadyHandled": Case(
        asked=UPLOADED,
        answers={"Split": (HANDLED,)},
        path="Split Divided AlreadyHandled",
        ends={name: HANDLED["plan"][name] for name in ("decision", "reason")},
    ),
    "InputInvalid": Case(
        asked={"scores": KEY},
        answers={"Split": (INVALID,)},
        path="Split InputInvalid",
        ends=("InputInvalid", str(INVALID)),
    ),
    "InputAnArray": Case(
        asked=[BY_HAND],
        answers={"Split": (INVALID,)},
        path="Split InputInvalid",
        ends=("InputInvalid", str(INVALID)),
    ),
    "DatasetUnreadable": Case(
        asked=BY_HAND,
        answers={"Split": (UNREADABLE,)},
        path="Split DatasetUnreadable",
        ends=("DatasetUnreadable", str(UNREADABLE)),
    ),
    "DatasetRejected": Case(
        asked=BY_HAND,
        answers={"Split": (REJECTED,)},
        path="Split DatasetRejected",
        ends=("DatasetRejected", str(REJECTED)),
    ),
    "ModelUnavailable": Case(
        asked=BY_HAND,
        answers={"Split": (NO_MODEL,)},
        path="Split ModelUnavailable",
        ends=("ModelUnavailable", str(NO_MODEL)),
    ),
    "SplitDenied": Case(
        asked=BY_HAND,
        answers={"Split": (DENIED,)},
        path="Split",
        ends=("StorageDenied", str(DENIED)),
    ),
    "SplitUnavailableTwice": Case(
        asked=BY_HAND,
        answers={"Split": (UNAVAILABLE, UNAVAILABLE, split(FEW))},
        path=f"{SCORE_FEW} {TO_THE_END}",
        within={"ScorePart": FEW},
        ends=scored(FEW),
    ),
    "PartKilled": Case(
        asked=BY_HAND,
        answers={"ScorePart": (KILLED, *(PART,) * FEW)},
        path=f"{SCORE_FEW} {TO_THE_END}",
        within={"ScorePart": FEW},
        ends=scored(FEW),
    ),
    "PartOfManyKilled": Case(
        asked=BY_HAND,
        answers=_of_many(ScorePartMany=(KILLED, *(PART,) * MANY)),
        path=f"{SCORE_MANY} Readable {TO_THE_END}",
        within={"ScorePartMany": MANY},
        ends=scored(MANY),
    ),
    "PartDiesOfEverything": Case(
        asked=BY_HAND,
        answers={
            "Split": (split(1),),
            "ScorePart": (KILLED, TIMED_OUT, UNKNOWN, PART),
            "Summarise": (summarised(1),),
        },
        path=f"{SCORE_FEW} {TO_THE_END}",
        within={"ScorePart": 1},
        ends=scored(1),
    ),
    "NoRoomForLong": Case(  # more often than a part may fail
        asked=BY_HAND,
        answers={
            "Split": (split(1),),
            "ScorePart": (*(NO_ROOM,) * TRIES, PART),
            "Summarise": (summarised(1),),
        },
        path=f"{SCORE_FEW} {TO_THE_END}",
        within={"ScorePart": 1},
        ends=scored(1),
    ),
    "PartStaysBroken": Case(
        asked=BY_HAND,
        answers={"Split": (split(1),), "ScorePart": (DENIED,) * TRIES},
        path=SCORE_FEW,
        within={"ScorePart": 1},
        ends=("StorageDenied", str(DENIED)),
    ),
    "PartsOfManyStayBroken": Case(
        asked=BY_HAND,
        answers=_of_many(ScorePartMany=(KILLED,) * TRIES * MANY),
        path=SCORE_MANY,
        within={"ScorePartMany": MANY},
        ends=TOO_MANY_FAILED,
    ),
    "PartUnreadable": Case(
        asked=BY_HAND,
        answers={"Split": (split(1),), "ScorePart": (UNREADABLE,)},
        path=f"{SCORE_FEW} DatasetUnreadable",
        within={"ScorePart": 1},
        ends=("DatasetUnreadable", str(UNREADABLE)),
    ),
    "PartOfManyUnreadable": Case(
        asked=BY_HAND,
        answers=_of_many(ScorePartMany=(UNREADABLE, *(PART,) * (MANY - 1))),
        path=f"{SCORE_MANY} Readable DatasetUnreadable",
        within={"ScorePartMany": MANY, "PartUnreadable": 1},
        ends=("DatasetUnreadable", str(UNREADABLE)),
    ),
    "AllOfManyUnreadable": Case(
        asked=BY_HAND,
        answers=_of_many(ScorePartMany=(LONG,) * MANY),
        path=f"{SCORE_MANY} Readable DatasetUnreadable",
        within={"ScorePartMany": MANY, "PartUnreadable": MANY},
        ends=("DatasetUnreadable", str(LONG)[:200]),
    ),
    "SummariseUnavailableTwice": Case(
        asked=BY_HAND,
        answers={"Summarise": (UNAVAILABLE, UNAVAILABLE, summarised(FEW))},
        path=f"{SCORE_FEW} {TO_THE_END}",
        within={"ScorePart": FEW},
        ends=scored(FEW),
    ),
    "PartMissing": Case(
        asked=BY_HAND,
        answers={"Summarise": (MISSING,)},
        path=f"{SCORE_FEW} Summarise",
        within={"ScorePart": FEW},
        ends=("ArtefactMissing", str(MISSING)),
    ),
}

SCORE = Machine("score", ORDINARY, CASES)
