"""Plan how a file is scored: by which model, and in which parts."""

from asking import Given
from clinical.artefacts import Artefacts, RawObject
from clinical.errors import (
    ArtefactMissing,
    DatasetRejected,
    DatasetUnreadable,
    InputInvalid,
    ModelOfAnotherStudy,
    ModelUnavailable,
    PreconditionFailed,
)
from clinical.ids import new_ids
from clinical.params import Params
from clinical.reference import Reference, read_reference
from clinical.registry import Champion, Registry
from clinical.upload import Upload
from handled import Claim, Handled
from stage import RawBucket, Run, stage
from violations import Rejection, Report, header_violations
from wording import listed, quoted

from score.asked import Wanted, wanted
from score.formats import Found
from score.known import format_of
from score.source import Source
from score.state import Details, Divided, Input, Plan


@stage(cached=False)
def split(  # noqa: PLR0913, PLR0917 - what a file is read by, and who claims it
    given: Given,
    raw: RawBucket,
    handled: Handled,
    registry: Registry,
    artefacts: Artefacts,
    run: Run,
    params: Params,
) -> Divided:
    """Read a file once, and divide it.

    A repeated event is not a failure, because events may arrive twice. Raises InputInvalid,
    DatasetUnreadable, DatasetRejected, ModelUnavailable.
    """
    read = wanted(given.root)
    upload, size = uploaded(read, raw)
    source = Source(raw.bucket, RawObject(key=upload.key, version_id=upload.version_id), size)
    if reason := already_handled(read, upload, handled, run):
        plan = Plan(decision="already_handled", reason=reason, source=source.object)
        return Divided(plan=plan)
    champion, reference = serving(registry, params)
    kind = format_of(source.beginning)
    found = kind.found_out(source, params)
    check_header(found, artefacts, params)
    details = Details(
        input=Input(
            key=upload.key,
            version_id=upload.version_id,
            bytes=size,
            sha256=source.sha256,
            format=kind.name,
        ),
        reading=found.reading,
        columns=added(found.reading.header, params),
        champion=champion,
        coverage=reference.interval.coverage,
        seed=seed_of(artefacts),
        notes=(*found.notes, *left_out(found, params)),
    )
    return Divided(
        plan=Plan(source=source.object, details=artefacts.write_json("details.json", details)),
        parts=found.parts,
    )


def uploaded(read: Wanted, raw: RawBucket) -> tuple[Upload, int]:
    """Return the requested version of a file, and its size in bytes."""
    key, named = read.score.key, read.score.version_id
    try:
        source = RawObject(key=key, version_id=named) if named else raw.bucket.current(key)
        written = raw.bucket.written(source)
    except ArtefactMissing as error:
        raise InputInvalid(f"score refers to a file that does not exist: {error}.") from error
    upload = Upload(
        key=key,
        version_id=source.version_id,
        uploaded_at=written.at,
        sequencer=read.event.sequencer if read.event else "",
    )
    if not written.size:
        raise DatasetUnreadable(f"{key} is empty: it needs a header and at least one row")
    return upload, written.size


def already_handled(read: Wanted, upload: Upload, handled: Handled, run: Run) -> str | None:
    """Say which execution handles this event; a manually started one takes over instead."""
    claim = Claim(execution=run.execution, upload=upload, claimed_at=run.now)
    if read.event is None:
        handled.take_over(claim)
        return None
    first = handled.claim(claim)
    return None if first.execution == run.execution else first.told


def serving(registry: Registry, params: Params) -> tuple[Champion, Reference]:
    """Return the champion that scores all parts, even if another is promoted in the meantime."""
    pointer = registry.champion()
    if pointer is None:
        raise ModelUnavailable("No model has been promoted yet; start the retrain state machine.")
    champion = pointer.champion
    try:
        reference = read_reference(registry.bucket, champion.reference)
        reference.check_contract(params)
    except ModelOfAnotherStudy as error:
        raise ModelUnavailable(f"{champion.version} cannot score: {error}.") from error
    return champion, reference


def seed_of(artefacts: Artefacts) -> str:
    """Draw the seed of this execution's prediction ids; a retry gets the same one."""
    key, (drawn,) = f"{artefacts.folder}/seed", new_ids(1)
    try:
        artefacts.bucket.put_new(key, drawn.encode())
    except PreconditionFailed:
        return artefacts.bucket.get(key).body.decode()
    return drawn


def check_header(found: Found, artefacts: Artefacts, params: Params) -> None:
    """Check that a header has the columns that every request must have; raises DatasetRejected."""
    later = params.roles.known_after_treatment
    required = [
        name
        for name, kind in params.asked.items()
        if (not kind.nullable and name not in later) or name in found.repeated
    ]
    violations = tuple(header_violations(required, found.reading.places, found.repeated))
    if violations:
        report = Report(rows=0, violations=violations, notes=found.notes)
        written = artefacts.write_json("report.json", report)
        raise DatasetRejected(Rejection(**dict(report), report=written).model_dump_json())


def left_out(found: Found, params: Params) -> list[str]:
    """Say which columns a file lacks, and what that means."""
    absent = [name for name in params.asked if name not in found.reading.places]
    later = [name for name in absent if name in params.roles.known_after_treatment]
    missing = [name for name in absent if name not in later]
    told = []
    if later:
        names = listed(map(quoted, later))
        told.append(f"{names} not in the file: each score is the mean over the recorded values.")
    if missing:
        told.append(f"{listed(map(quoted, missing))} not in the file: treated as missing.")
    return told


def added(header: tuple[str, ...], params: Params) -> tuple[str, ...]:
    """Return unique names for the columns that are added after a file's own."""
    target = params.target.column
    names = (
        "prediction_id",
        f"predicted_{target}",
        "predicted_low",
        "predicted_high",
        "support",
        "averaged_over",
        "problem",
    )
    taken = {cell.strip().casefold() for cell in header}
    unused = []
    for name in names:
        number, chosen = 2, name
        while chosen.casefold() in taken:
            number, chosen = number + 1, f"{name}_{number}"
        unused.append(chosen)
    return tuple(unused)
