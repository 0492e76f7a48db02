"""Check an execution's input, and decide what to do or why there is nothing to do."""

from datetime import datetime
from typing import Literal

from asking import Given
from clinical import telemetry
from clinical.artefacts import RawObject
from clinical.errors import ArtefactMissing, DatasetUnreadable, InputInvalid
from clinical.params import Params
from clinical.registry import Registry
from clinical.upload import Upload, superseded
from handled import Claim, Handled
from stage import RawBucket, Run, stage

from retrain.asked import Wanted, outcomes_asked, wanted
from retrain.state import Admitted, Nominated

type Ended = Literal["superseded", "already_handled"]


@stage(cached=False)
def admit(  # noqa: PLR0913, PLR0917 - all that may speak against a run
    given: Given,
    raw: RawBucket,
    handled: Handled,
    registry: Registry,
    run: Run,
    params: Params,
) -> Admitted:
    """Decide what an execution does, before it computes anything.

    A repeated event, or data older than the champion's, is not a failure: events may arrive twice
    and out of order. Raises InputInvalid, DatasetUnreadable.
    """
    read = wanted(given.root, params)
    if read.promote:
        return to_promote(read, run)
    pointer = registry.champion()
    champion = pointer.champion.upload if pointer else None
    upload = with_outcomes(uploaded(read, raw), read, champion, run.now)
    admitted = Admitted(
        decision="retrain",
        upload=upload,
        even_if_older=read.even_if_older,
        tune=read.tune,
        who=read.who or (f"upload of {upload.key}" if read.raw else f"execution {run.execution}"),
        why=read.reason,
    )
    ended = already_handled(read, upload, handled, run) or older(read, upload, champion)
    if ended is None:
        return admitted
    decision, reason = ended
    telemetry.count_execution(decision)
    return admitted.model_copy(update={"decision": decision, "reason": reason})


def to_promote(read: Wanted, run: Run) -> Admitted:
    who = read.who or f"execution {run.execution}"
    why = read.reason or "Promoted by name; no reason given."
    return Admitted(
        decision="promote",
        who=who,
        why=why,
        nominated=Nominated(version=read.promote or "", who=who, why=why),
    )


def uploaded(read: Wanted, raw: RawBucket) -> Upload:
    """Return the requested version of an object, or else the newest upload."""
    key = read.raw.key if read.raw else raw.bucket.newest(raw.prefix)
    if key is None:
        raise DatasetUnreadable(f"there is nothing under {raw.prefix}; upload a CSV first")
    if not key.startswith(raw.prefix) or key.endswith("/"):
        raise InputInvalid(f"raw.key is not an upload; uploads are objects under {raw.prefix}.")
    try:
        named = read.raw.version_id if read.raw else ""
        source = RawObject(key=key, version_id=named) if named else raw.bucket.current(key)
        written = raw.bucket.written(source)
    except ArtefactMissing as error:
        raise InputInvalid(f"raw refers to an upload that does not exist: {error}.") from error
    return Upload(
        key=key,
        version_id=source.version_id,
        uploaded_at=written.at,
        sequencer=read.event.sequencer if read.event else "",
    )


def with_outcomes(upload: Upload, read: Wanted, champion: Upload | None, now: datetime) -> Upload:
    """Set the time up to which outcomes are trained on beside an upload; raises InputInvalid.

    By default, the champion's own upload is trained on with the champion's outcomes, because fewer
    would be a step back.
    """
    if "outcomes" in read.model_fields_set:
        until = outcomes_asked(read, now)
    else:
        until = champion.outcomes_until if champion and champion.is_same_object(upload) else None
    return upload.model_copy(update={"outcomes_until": until})


def already_handled(
    read: Wanted, upload: Upload, handled: Handled, run: Run
) -> tuple[Ended, str] | None:
    """Say which execution handles this event; a manually started one takes over instead."""
    claim = Claim(execution=run.execution, upload=upload, claimed_at=run.now)
    if read.event is None:
        handled.take_over(claim)
        return None
    first = handled.claim(claim)
    if first.execution == run.execution:  # a retry of this state
        return None
    return "already_handled", first.told


def older(read: Wanted, upload: Upload, champion: Upload | None) -> tuple[Ended, str] | None:
    """Say so if the champion's data are newer than these, unless the input allows that."""
    reason = None if read.even_if_older else superseded(upload, by=champion)
    return ("superseded", reason) if reason else None
