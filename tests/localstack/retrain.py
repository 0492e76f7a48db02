"""Every way through the machine that retrains: what it is asked, what is answered, where it ends.

The answers are the stages' own models, and the errors are those that the stages raise, as Lambda
tells of them. Ordinary answers are those of events/*.json, which a run on the sample made.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from clinical.artefacts import Artefact
from clinical.errors import (
    ApprovalSettled,
    ArtefactCorrupted,
    ArtefactMissing,
    ChampionMoved,
    DatasetRejected,
    DatasetUnreadable,
    InputInvalid,
    ModelUnanswerable,
    NotApproved,
    StorageDenied,
    StorageUnavailable,
    TuningFailed,
    VersionUnknown,
)
from clinical.params import params
from clinical.verdict import AgainstChampion, Estimate, Figures, Parity, Replayed, Verdict
from pydantic import BaseModel
from retrain.gate import judged
from retrain.stages.validate import judge
from retrain.state import (
    Admitted,
    Annotated,
    Chosen,
    Closed,
    Combined,
    CrossValidated,
    Documented,
    Evaluated,
    Ingested,
    Listed,
    Measured,
    Nominated,
    Preprocessed,
    Promoted,
    Requested,
    Trained,
    Validated,
)
from tables import read
from violations import Rejection

from local.cloud import ROOT
from tests.localstack.cases import Answer, Case, LambdaFailed, Machine, plain


def _of_the_sample[Model: BaseModel](kind: type[Model], stage: str, *path: str | int) -> Model:
    """Read a stage's input in events/, which was another stage's output."""
    found: Any = json.loads((ROOT / "events" / f"{stage}.json").read_text())
    for step in path:
        found = found[step]
    return kind.model_validate(found)


ADMITTED = _of_the_sample(Admitted, "ingest", "admitted")
INGESTED = _of_the_sample(Ingested, "validate", "ingested")
VALIDATED = _of_the_sample(Validated, "preprocess", "validated").model_copy(
    update={"notes": ("Read as semicolon-separated.",)}
)
NOTES = {"notes": list(VALIDATED.notes)}
PREPROCESSED = _of_the_sample(Preprocessed, "train", "preprocessed")
COMBINED = _of_the_sample(Combined, "train", "combined")
TRAINED = _of_the_sample(Trained, "evaluate", "trained")
EVALUATED = _of_the_sample(Evaluated, "publish", "evaluated")
LISTED = Listed(  # ten or more, of which one may fail
    grid="full", candidates=params().tuning.candidates("full")[:10]
)
CROSS_VALIDATED = _of_the_sample(CrossValidated, "choose", "tried", "candidates", 0)
CHOSEN = Chosen(
    hyperparameters=CROSS_VALIDATED.hyperparameters,
    tuning=Artefact(key="runs/sample/choose/tuning.json", sha256="0" * 64),
)
MEASURED = _of_the_sample(Measured, "annotate", "measured")
VERSION, OTHER = "v-bc7efea3", "v-0e1d2c3b"


def _evaluated(**changed: object) -> Evaluated:
    """What the gate makes of the sample's figures when some of them are others."""
    figures = {name: getattr(EVALUATED.verdict, name) for name in Figures.model_fields}
    verdict = judged(Figures.model_validate(figures | changed), params())
    return Evaluated(verdict=verdict, report=EVALUATED.report)


def _champion(sequence: int) -> AgainstChampion:
    assert EVALUATED.verdict.champion
    return EVALUATED.verdict.champion.model_copy(update={"version": OTHER, "sequence": sequence})


def _promoted(verdict: Verdict, **changed: object) -> Promoted:
    return Promoted.model_validate(
        {
            "decision": verdict.decision,
            "version": VERSION,
            "previous": OTHER,
            "sequence": 2,
            "verdict": verdict,
        }
        | changed
    )


OVER_THE_FIRST, OVER_THE_SECOND = (
    _evaluated(champion=_champion(1)),
    _evaluated(champion=_champion(2)),
)
UNPROVEN = _evaluated(
    champion=_champion(1).model_copy(update={"rmse_difference": None, "beats_average": True})
)
WITHOUT_SKILL = _evaluated(champion=None, rmse_difference=Estimate(value=0.1, low=-0.1, high=0.3))
WORSE_ON_OUTCOMES = _evaluated(
    champion=_champion(1),
    replay=Replayed(
        champion=OTHER,
        requests=400,
        outcomes=120,
        rmse_difference=Estimate(value=0.3, low=0.2, high=0.4),
    ),
)
UNLIKE_ITSELF = _evaluated(parity=Parity(max_error=0.3, holds=False))


def _nominated(evaluated: Evaluated) -> Nominated:
    verdict = evaluated.verdict
    return Nominated(
        version=VERSION,
        over=verdict.champion.sequence if verdict.champion else 0,
        who=ADMITTED.who,
        why=verdict.reasons[0],
        verdict=verdict,
        upload=ADMITTED.upload,
    )


def _by_hand(version: str) -> Admitted:
    """What `admit` makes of a promotion by name."""
    nominated = Nominated(version=version, who="ada@example", why="It was better on Tuesday.")
    return Admitted(decision="promote", who=nominated.who, why=nominated.why, nominated=nominated)


def _ended(decision: str, reason: str) -> Admitted:
    return ADMITTED.model_copy(update={"decision": decision, "reason": reason})


def _closed(decision: str, reason: str) -> Closed:
    return Closed.model_validate(
        {
            "decision": decision,
            "reason": reason,
            "version": VERSION,
            "verdict": OVER_THE_FIRST.verdict,
        }
    )


# Seconds that are waited for an approval; in fewer, a slow engine does not come to ask for it.
LONG, SHORT = 600, 10
WAITS = _nominated(OVER_THE_FIRST).model_copy(
    update={
        "approval": ("Every candidate needs approval (gate.approval: always).",),
        "approval_seconds": LONG,
    }
)
WAITS_SHORTLY = WAITS.model_copy(update={"approval_seconds": SHORT})
REQUESTED = Requested(version=VERSION, until=datetime(2026, 12, 2, 12, tzinfo=UTC))
APPROVED = f'{VERSION} was approved by ada on 2026-11-26 12:00 UTC ("The replay is calm.").'
REJECTED = f'{VERSION} was rejected by ada on 2026-11-26 12:00 UTC ("Too many move.").'
EXPIRED = f"{VERSION} was not approved by 2026-12-02 12:00 UTC: nobody had decided."
WOKEN = {"decision": "approved"}
PROMOTED = _promoted(OVER_THE_FIRST.verdict)
ANNOTATED = Annotated(
    version=VERSION,
    learning_curve=Artefact(key=f"models/{VERSION}/learning_curve.json", sha256="0" * 64),
)
DOCUMENTED = Documented(
    sequence=2, page=Artefact(key="models/change-control/000002.html", sha256="0" * 64)
)

ORDINARY: Mapping[str, tuple[Answer, ...]] = {
    "Admit": (ADMITTED,),
    "Ingest": (INGESTED,),
    "Validate": (VALIDATED,),
    "Preprocess": (PREPROCESSED,),
    "ExtractCombinations": (COMBINED,),
    "ListCandidates": (LISTED,),
    "CrossValidate": (CROSS_VALIDATED,) * len(LISTED.candidates),
    "Choose": (CHOSEN,),
    "Train": (TRAINED,),
    "Evaluate": (OVER_THE_FIRST,),
    "Replay": (OVER_THE_FIRST,),
    "Publish": (_nominated(OVER_THE_FIRST),),
    "Promote": (PROMOTED,),
    "LearningCurve": (MEASURED,),
    "Annotate": (ANNOTATED,),
    "Document": (DOCUMENTED,),
    "TellApprovers": ({"MessageId": "11111111-2222-3333-4444-555555555555"},),
    "AwaitApproval": (REQUESTED,),
    "CloseApproval": (_closed("approved", APPROVED),),
}

PREPARED = {"Preprocess": 1, "ExtractCombinations": 1}
CURVE = {"Measurable": 1, "LearningCurve": 1}
NO_CURVE = {"Measurable": 1, "NoCurve": 1}
PREPARED_AND_CURVE = {**PREPARED, **CURVE}
TRIED = {**PREPARED, "CrossValidate": len(LISTED.candidates)}
READ = "Admit Admitted Ingest Validate Prepare Prepared"
EVALUATE = f"{READ} Release Wanted Train Evaluate"
TRAIN = f"{EVALUATE} Replay Gate"
TUNE = f"{READ} ListCandidates Tune Choose"
BY_HAND = "Admit Admitted Release Wanted Promote"
JOINED = "Concluded Released Ended"
ANNOTATE = "Concluded Released Annotate Ended"
AWAIT = "Publish Published TellApprovers AwaitApproval"
CLOSE = f"{AWAIT} CloseApproval Decided"
TO_THE_END = f"Publish Published Promote {ANNOTATE} Document Served"


INVALID = InputInvalid("promot is unknown.")
HANDLED = _ended(
    "already_handled", "The execution one has been handling this version of raw/sample.csv."
)
OLDER = _ended("superseded", "raw/sample.csv was uploaded before the data of the champion.")
MOVED = ChampionMoved(f"{VERSION} was judged against promotion 1, but 2 serves now")
UNREADABLE = DatasetUnreadable(
    "raw/sample.csv cannot be read: in row 2, a quote is opened and never closed"
)
REJECTION = Rejection(
    **dict(judge(read("raw/sample.csv", b"Patient_ID,Age\nP0001,17\n", params()), params())[0]),
    report=Artefact(key="runs/sample/validate/report.json", sha256="0" * 64),
).model_dump_json()
TOO_MANY = TuningFailed("2 of 10 candidates failed, more than tuning.tolerated_failures allows")
UNANSWERABLE = ModelUnanswerable("the contract refuses Age of a recorded row")
UNKNOWN = VersionUnknown("the registry has no version v-00000000; `make models` lists them")
CORRUPTED = ArtefactCorrupted(
    f's3://artifacts/models/{VERSION}/model.onnx has the SHA-256 "1", expected "0"'
)
UNTOLD = LambdaFailed("SNS.NotFoundException", "Topic does not exist")
SETTLED = ApprovalSettled(APPROVED)
NOBODY_APPROVED = NotApproved(f"{VERSION} needs an approval that nobody gave")
MISSING = ArtefactMissing(f"s3://artifacts/models/{VERSION}/model.onnx does not exist")
UNAVAILABLE = StorageUnavailable("S3 answered 503 for s3://artifacts/runs/sample/lineage.json")
DENIED = StorageDenied("the role is not allowed to access s3://artifacts/runs/sample/lineage.json")
NOT_DOCUMENTED = (
    "The change-control page of this promotion was not written: StorageDenied; the next execution "
    "that finds this version serving will write it."
)
OUT_OF_MEMORY = MemoryError("Unable to allocate 2.10 GiB for an array")


_CASES: dict[str, Case] = {
    "Promoted": Case(
        asked={"raw": {"key": "raw/sample.csv", "version_id": "a version of it"}},
        path=f"{TRAIN} {TO_THE_END}",
        within=PREPARED_AND_CURVE,
        ends=PROMOTED,
    ),
    "PromotedWithWarning": Case(
        asked={},
        answers={
            "Evaluate": (WITHOUT_SKILL,),
            "Replay": (WITHOUT_SKILL,),
            "Publish": (_nominated(WITHOUT_SKILL),),
            "Promote": (_promoted(WITHOUT_SKILL.verdict, previous=None, sequence=1),),
        },
        path=f"{TRAIN} {TO_THE_END}",
        within=PREPARED_AND_CURVE,
        ends=_promoted(WITHOUT_SKILL.verdict, previous=None, sequence=1),
    ),
    "AlreadyChampion": Case(
        asked={"who": "ada@example", "reason": "To see whether it changed."},
        answers={"Promote": (_promoted(OVER_THE_FIRST.verdict, decision="already_champion"),)},
        path=f"{TRAIN} {TO_THE_END}",
        within=PREPARED_AND_CURVE,
        ends=_promoted(OVER_THE_FIRST.verdict, decision="already_champion"),
    ),
    "AlreadyHandled": Case(
        asked={"raw": {"key": "raw/sample.csv", "version_id": "a version of it"}},
        answers={"Admit": (HANDLED,)},
        path="Admit Admitted AlreadyHandled",
        ends={"decision": "already_handled", "reason": HANDLED.reason},
    ),
    "SupersededAtOnce": Case(
        asked={"raw": {"key": "raw/sample.csv", "version_id": "a version of it"}},
        answers={"Admit": (OLDER,)},
        path="Admit Admitted Superseded",
        ends={"decision": "superseded", "reason": OLDER.reason},
    ),
    "SupersededMeanwhile": Case(
        asked={},
        answers={"Promote": (_promoted(OVER_THE_FIRST.verdict, decision="superseded"),)},
        path=f"{TRAIN} Publish Published Promote {ANNOTATE} Superseded",
        within=PREPARED_AND_CURVE,
        ends=_promoted(OVER_THE_FIRST.verdict, decision="superseded"),
    ),
    "Withdrawn": Case(
        asked={},
        answers={"Promote": (_promoted(OVER_THE_FIRST.verdict, decision="withdrawn"),)},
        path=f"{TRAIN} Publish Published Promote {ANNOTATE} Withdrawn",
        within=PREPARED_AND_CURVE,
        ends=_promoted(OVER_THE_FIRST.verdict, decision="withdrawn"),
    ),
    "Withheld": Case(
        asked={},
        answers={
            "Evaluate": (UNPROVEN,),
            "Replay": (UNPROVEN,),
            "Publish": (_nominated(UNPROVEN),),
        },
        path=f"{TRAIN} Publish Published {ANNOTATE} Withheld",
        within=PREPARED_AND_CURVE,
        ends={
            "decision": "withheld",
            "version": VERSION,
            "verdict": UNPROVEN.verdict.model_dump(mode="json"),
        },
    ),
    "Rejected": Case(
        asked={},
        answers={"Evaluate": (UNLIKE_ITSELF,), "Replay": (UNLIKE_ITSELF,)},
        path=f"{TRAIN} {JOINED} Rejected",
        within=PREPARED_AND_CURVE,
        ends={"decision": "rejected", "verdict": UNLIKE_ITSELF.verdict.model_dump(mode="json")},
    ),
    "RejectedByReplay": Case(
        asked={},
        answers={"Replay": (WORSE_ON_OUTCOMES,)},
        path=f"{TRAIN} {JOINED} Rejected",
        within=PREPARED_AND_CURVE,
        ends={"decision": "rejected", "verdict": WORSE_ON_OUTCOMES.verdict.model_dump(mode="json")},
    ),
    "ModelUnanswerable": Case(
        asked={},
        answers={"Evaluate": (UNANSWERABLE,)},
        path=f"{EVALUATE} {JOINED} ModelUnanswerable",
        within=PREPARED_AND_CURVE,
        ends=("ModelUnanswerable", str(UNANSWERABLE)),
    ),
    "Overtaken": Case(
        asked={},
        answers={
            "Evaluate": (OVER_THE_FIRST, OVER_THE_SECOND),
            "Replay": (OVER_THE_FIRST, OVER_THE_SECOND),
            "Publish": (_nominated(OVER_THE_FIRST), _nominated(OVER_THE_SECOND)),
            "Promote": (MOVED, _promoted(OVER_THE_SECOND.verdict, sequence=3)),
        },
        path=f"{TRAIN} Publish Published Promote Overtaken Evaluate Replay Gate {TO_THE_END}",
        within=PREPARED_AND_CURVE,
        ends=_promoted(OVER_THE_SECOND.verdict, sequence=3),
    ),
    "Tuned": Case(
        asked={"tune": "full"},
        answers={
            "Admit": (ADMITTED.model_copy(update={"tune": "full"}),),
            "CrossValidate": (
                *[CROSS_VALIDATED] * 3,
                OUT_OF_MEMORY,
                *[CROSS_VALIDATED] * (len(LISTED.candidates) - 4),
            ),
        },
        path=f"{TUNE} Release Wanted Train Evaluate Replay Gate {TO_THE_END}",
        within={**TRIED, "CandidateFailed": 1, **CURVE},
        ends=PROMOTED,
    ),
    "TooManyCandidatesFailed": Case(
        asked={"tune": True},
        answers={
            "Admit": (ADMITTED.model_copy(update={"tune": True}),),
            "CrossValidate": (
                *[OUT_OF_MEMORY] * 2,
                *[CROSS_VALIDATED] * (len(LISTED.candidates) - 2),
            ),
            "Choose": (TOO_MANY,),
        },
        path=f"{TUNE} TuningFailed",
        within={**TRIED, "CandidateFailed": 2},
        ends=("TuningFailed", str(TOO_MANY)),
    ),
    "InputInvalid": Case(
        asked={"promot": VERSION},
        answers={"Admit": (INVALID,)},
        path="Admit InputInvalid",
        ends=("InputInvalid", str(INVALID)),
    ),
    "InputAnArray": Case(
        asked=[{"tune": True}],
        answers={"Admit": (INVALID,)},
        path="Admit InputInvalid",
        ends=("InputInvalid", str(INVALID)),
    ),
    "NothingUploaded": Case(
        asked={},
        answers={"Admit": (UNREADABLE,)},
        path="Admit DatasetUnreadable",
        ends=("DatasetUnreadable", str(UNREADABLE)),
    ),
    "DatasetUnreadable": Case(
        asked={},
        answers={"Ingest": (UNREADABLE,)},
        path="Admit Admitted Ingest DatasetUnreadable",
        ends=("DatasetUnreadable", str(UNREADABLE)),
    ),
    "DatasetRejected": Case(
        asked={},
        answers={"Validate": (DatasetRejected(REJECTION),)},
        path="Admit Admitted Ingest Validate DatasetRejected",
        ends=("DatasetRejected", REJECTION),
    ),
    "ByHand": Case(
        asked={"promote": VERSION, "who": "ada@example", "reason": "It was better on Tuesday."},
        answers={"Admit": (_by_hand(VERSION),)},
        path=f"{BY_HAND} {JOINED} Document Served",
        within=NO_CURVE,
        ends=PROMOTED,
    ),
    "OvertakenByHand": Case(
        asked={"promote": "previous"},
        answers={"Admit": (_by_hand("previous"),), "Promote": (MOVED, PROMOTED)},
        path=f"{BY_HAND} Overtaken Promote {JOINED} Document Served",
        within=NO_CURVE,
        ends=PROMOTED,
    ),
    "VersionUnknown": Case(
        asked={"promote": "v-00000000"},
        answers={"Admit": (_by_hand("v-00000000"),), "Promote": (UNKNOWN,)},
        path=f"{BY_HAND} {JOINED} VersionUnknown",
        within=NO_CURVE,
        ends=("VersionUnknown", str(UNKNOWN)),
    ),
    "ArtefactCorrupted": Case(
        asked={"promote": VERSION},
        answers={"Admit": (_by_hand(VERSION),), "Promote": (CORRUPTED,)},
        path=f"{BY_HAND} {JOINED} ArtefactCorrupted",
        within=NO_CURVE,
        ends=("ArtefactCorrupted", str(CORRUPTED)),
    ),
    "ArtefactMissing": Case(
        asked={"promote": VERSION},
        answers={"Admit": (_by_hand(VERSION),), "Promote": (MISSING,)},
        path=f"{BY_HAND} {JOINED} ArtefactCorrupted",
        within=NO_CURVE,
        ends=("ArtefactCorrupted", str(MISSING)),
    ),
    "StorageUnavailableTwice": Case(
        asked={},
        answers={"Ingest": (UNAVAILABLE, UNAVAILABLE, INGESTED)},
        path=f"{TRAIN} {TO_THE_END}",
        within=PREPARED_AND_CURVE,
        ends=PROMOTED,
    ),
    "TooManyRequestsTwice": Case(
        asked={"promote": VERSION},
        answers={
            "Admit": (_by_hand(VERSION),),
            "Promote": (LambdaFailed(), LambdaFailed(), PROMOTED),
        },
        path=f"{BY_HAND} {JOINED} Document Served",
        within=NO_CURVE,
        ends=PROMOTED,
    ),
    "StorageStaysUnavailable": Case(
        asked={"promote": VERSION},
        answers={"Admit": (_by_hand(VERSION),), "Promote": (UNAVAILABLE,) * 5},
        path=f"{BY_HAND} {JOINED} Failed",
        within=NO_CURVE,
        ends=("StorageUnavailable", str(UNAVAILABLE)),
    ),
    "StorageDenied": Case(
        asked={},
        answers={"Train": (DENIED,)},
        path=f"{READ} Release Wanted Train {JOINED} Failed",
        within=PREPARED_AND_CURVE,
        ends=("StorageDenied", str(DENIED)),
    ),
    "OutOfMemoryInEvaluate": Case(
        asked={},
        answers={"Evaluate": (OUT_OF_MEMORY,)},
        path=f"{EVALUATE} {JOINED} Failed",
        within=PREPARED_AND_CURVE,
        ends=("MemoryError", str(OUT_OF_MEMORY)),
    ),
    "OutOfMemoryInReplay": Case(  # what was not found out is not taken for nothing found
        asked={},
        answers={"Replay": (OUT_OF_MEMORY,)},
        path=f"{EVALUATE} Replay {JOINED} Failed",
        within=PREPARED_AND_CURVE,
        ends=("MemoryError", str(OUT_OF_MEMORY)),
    ),
    "OutOfMemoryInPublish": Case(
        asked={},
        answers={"Publish": (OUT_OF_MEMORY,)},
        path=f"{TRAIN} Publish {JOINED} Failed",
        within=PREPARED_AND_CURVE,
        ends=("MemoryError", str(OUT_OF_MEMORY)),
    ),
    "CurveFails": Case(
        asked={},
        answers={"LearningCurve": (OUT_OF_MEMORY,)},
        path=f"{TRAIN} Publish Published Promote {JOINED} Document Served",
        within={**PREPARED_AND_CURVE, "NoCurve": 1},
        ends=PROMOTED,
    ),
    "CurveAndModelFail": Case(
        asked={},
        answers={"LearningCurve": (OUT_OF_MEMORY,), "Train": (DENIED,)},
        path=f"{READ} Release Wanted Train {JOINED} Failed",
        within={**PREPARED_AND_CURVE, "NoCurve": 1},
        ends=("StorageDenied", str(DENIED)),
    ),
    "CurveSlow": Case(  # it is tried again after seconds
        asked={},
        ahead="Promote",
        answers={"LearningCurve": (*[UNAVAILABLE] * 4, MEASURED)},
        path=f"{TRAIN} {TO_THE_END}",
        within=PREPARED_AND_CURVE,
        ends=PROMOTED,
    ),
    "AnnotateFails": Case(
        asked={},
        answers={"Annotate": (DENIED,)},
        path=f"{TRAIN} {TO_THE_END}",
        within=PREPARED_AND_CURVE,
        ends=PROMOTED,
    ),
    "DocumentFails": Case(
        asked={},
        answers={"Document": (DENIED,)},
        path=f"{TRAIN} {TO_THE_END}",
        within=PREPARED_AND_CURVE,
        ends={**plain(PROMOTED), "notes": [NOT_DOCUMENTED]},
    ),
    "DocumentFailsByHand": Case(
        asked={"promote": VERSION},
        answers={"Admit": (_by_hand(VERSION),), "Document": (DENIED,)},
        path=f"{BY_HAND} {JOINED} Document Served",
        within=NO_CURVE,
        ends={**plain(PROMOTED), "notes": [NOT_DOCUMENTED]},
    ),
}


_CASES |= {
    "Approved": Case(
        asked={},
        answers={"Publish": (WAITS,)},
        woken=WOKEN,
        path=f"{TRAIN} {CLOSE} Promote {ANNOTATE} Document Served",
        within=PREPARED_AND_CURVE,
        ends=PROMOTED,
    ),
    "Disapproved": Case(
        asked={},
        answers={"Publish": (WAITS,), "CloseApproval": (_closed("not_approved", REJECTED),)},
        woken={"decision": "rejected"},
        path=f"{TRAIN} {CLOSE} {ANNOTATE} NotApproved",
        within=PREPARED_AND_CURVE,
        ends=_closed("not_approved", REJECTED),
    ),
    "ApprovalExpired": Case(
        asked={},
        answers={"Publish": (WAITS_SHORTLY,), "CloseApproval": (_closed("not_approved", EXPIRED),)},
        path=f"{TRAIN} {CLOSE} {ANNOTATE} NotApproved",
        within=PREPARED_AND_CURVE,
        ends=_closed("not_approved", EXPIRED),
    ),
    "DecidedJustInTime": Case(  # and nobody woke it
        asked={},
        answers={"Publish": (WAITS_SHORTLY,)},
        path=f"{TRAIN} {CLOSE} Promote {ANNOTATE} Document Served",
        within=PREPARED_AND_CURVE,
        ends=PROMOTED,
    ),
    "DecidedBeforeItAskedAgain": Case(
        asked={},
        answers={"Publish": (WAITS,), "AwaitApproval": (UNAVAILABLE, SETTLED)},
        path=f"{TRAIN} {CLOSE} Promote {ANNOTATE} Document Served",
        within=PREPARED_AND_CURVE,
        ends=PROMOTED,
    ),
    "ApprovalVoid": Case(
        asked={},
        answers={"Publish": (WAITS,), "Promote": (MOVED,)},
        woken=WOKEN,
        path=f"{TRAIN} {CLOSE} Promote Overtaken VoidApproval {ANNOTATE} ApprovalVoid",
        within=PREPARED_AND_CURVE,
        ends={
            "decision": "approval_void",
            "reason": f"{APPROVED} The approval is void, because the champion has changed in the "
            f"meantime: {MOVED}. Retrain, and decide on the new candidate.",
            "version": VERSION,
            "verdict": WAITS.verdict.model_dump(mode="json") if WAITS.verdict else None,
        },
    ),
    "NobodyCouldBeTold": Case(
        asked={},
        answers={"Publish": (WAITS,), "TellApprovers": (UNTOLD,) * 4},
        woken=WOKEN,
        path=f"{TRAIN} {CLOSE} Promote {ANNOTATE} Document Served",
        within=PREPARED_AND_CURVE,
        ends=plain(PROMOTED)
        | {
            "notes": [
                "The approvers could not be notified: SNS.NotFoundException.",
            ]
        },
    ),
    "ApprovalCannotBeAskedFor": Case(
        asked={},
        answers={"Publish": (WAITS,), "AwaitApproval": (DENIED,)},
        path=f"{TRAIN} {AWAIT} {JOINED} Failed",
        within=PREPARED_AND_CURVE,
        ends=("StorageDenied", str(DENIED)),
    ),
    "WokenWithAnError": Case(
        asked={},
        answers={"Publish": (WAITS,)},
        woken=OUT_OF_MEMORY,
        path=f"{TRAIN} {AWAIT} {JOINED} Failed",
        within=PREPARED_AND_CURVE,
        ends=("MemoryError", str(OUT_OF_MEMORY)),
    ),
    "DecisionCannotBeRead": Case(
        asked={},
        answers={"Publish": (WAITS,), "CloseApproval": (DENIED,)},
        woken=WOKEN,
        path=f"{TRAIN} {AWAIT} CloseApproval {JOINED} Failed",
        within=PREPARED_AND_CURVE,
        ends=("StorageDenied", str(DENIED)),
    ),
    "NobodyApproved": Case(
        asked={},
        answers={"Publish": (WAITS,), "Promote": (NOBODY_APPROVED,)},
        woken=WOKEN,
        path=f"{TRAIN} {CLOSE} Promote {JOINED} Failed",
        within=PREPARED_AND_CURVE,
        ends=("NotApproved", str(NOBODY_APPROVED)),
    ),
}


def _noted(case: Case) -> Case:
    """Expect how leniently the upload was read, which whatever was read for ends with.

    What a case expects to be noted besides comes after it.
    """
    if isinstance(case.ends, tuple) or not {"Promote", "Validate"} & set(case.path.split()):
        return case
    ends, read = plain(case.ends), NOTES["notes"] if "Validate" in case.path else []
    return replace(case, ends={**ends, "notes": [*read, *ends.get("notes", [])]})


RETRAIN = Machine("retrain", ORDINARY, {name: _noted(case) for name, case in _CASES.items()})
