"""Import files of outcomes: each version of an object once, row by row.

A file is read as leniently as data sets, and every leniency is reported. A row that breaks a rule
is refused by itself, and no message repeats a cell. The import is recorded last, so that a run that
was killed imports the same file again, which changes nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import ClassVar, Literal, override

from cells import as_meant, broken_rules
from clinical.artefacts import Bucket, RawObject, canonical_json
from clinical.captures import Captures
from clinical.errors import ArtefactMissing, DatasetUnreadable, PreconditionFailed
from clinical.frozen import Frozen
from clinical.kinds import Kind, Rule
from clinical.outcomes import AT_ONCE, Outcome, Outcomes
from clinical.params import Params
from clinical.told import became, id_of, in_the_future, moment_of, too_early
from stage import RawBucket, Run
from tables import Table, read
from violations import FIRST_ROWS, header_violations
from wording import counted, listed, quoted

FOLDER = "outcomes/"  # of the raw bucket
TAKEN = "outcomes/files/"  # of the artefacts bucket
ID, OBSERVED_AT = "prediction_id", "observed_at"

SAID = {
    "column_missing": "is missing from the header",
    "column_repeated": "is in the header more than once",
    "row_width": "more or fewer cells than the header",
    "missing": "is empty",
    "prediction_id": "is not 32 hexadecimal digits",
    "whole_number": "is not a whole number",
    "decimal_number": "is not a number",
    "out_of_range": "is out of range",
    "moment": "is not a day, such as 2026-12-24, or a time in ISO 8601 format",
    "in_the_future": "is after the upload of the file",
    "too_early": "is before the day (UTC) of the prediction",
}
BECAME = {
    "known": "already recorded; nothing changed.",
    "replaced": "recorded in place of an earlier one.",
    "superseded": "kept, but another one that was observed later counts.",
}


class PredictionId(Kind):
    """A column of prediction ids, in upper or lower case."""

    kind: Literal["prediction_id"] = "prediction_id"

    is_feature: ClassVar[bool] = False

    @override
    def _rules(self) -> tuple[Rule, ...]:
        return (Rule("prediction_id", lambda cell: id_of(cell) is not None),)

    @override
    def canonical(self, cell: str) -> str:
        return id_of(cell) or ""


class Moment(Kind):
    """A column of days and times."""

    kind: Literal["moment"] = "moment"

    is_feature: ClassVar[bool] = False

    @override
    def _rules(self) -> tuple[Rule, ...]:
        return (Rule("moment", lambda cell: moment_of(cell) is not None),)

    @override
    def canonical(self, cell: str) -> str:
        read = moment_of(cell)
        return read.isoformat() if read else ""


class TakenIn(Frozen):
    """The result of imports: new outcomes, refused rows, and sentences about both."""

    taken: int = 0
    refused: int = 0
    notes: tuple[str, ...] = ()


class Record(TakenIn):
    """The import of one version of an object, and its execution."""

    execution: str
    source: RawObject


@dataclass(frozen=True)
class Row:
    """A row's content, and its number, as in a spreadsheet."""

    number: int
    prediction_id: str
    value: float
    observed_at: datetime


def take_in(
    raw: RawBucket, outcomes: Outcomes, captures: Captures, run: Run, params: Params
) -> TakenIn:
    """Import each new file of outcomes, the oldest first."""
    came = []
    for source, written_at in raw.bucket.versions(FOLDER):
        if _is_there(outcomes.bucket, _key(source)):
            continue
        try:
            body = raw.bucket.get_version(source)
        except ArtefactMissing:  # deleted since it was listed, and thereby withdrawn
            continue
        came.append(_taken(source, body, written_at, outcomes, captures, params))
        record = Record(**dict(came[-1]), execution=run.execution, source=source)
        try:
            outcomes.bucket.put_new(_key(source), canonical_json(record))
        except PreconditionFailed:
            continue  # another run took the same in at the same time
    return TakenIn(
        taken=sum(one.taken for one in came),
        refused=sum(one.refused for one in came),
        notes=tuple(note for one in came for note in one.notes),
    )


def columns_of(params: Params) -> Params:
    """Return params for reading a file of outcomes, which has three columns."""
    target = params.outcome.model_copy(update={"nullable": False})
    columns = {ID: PredictionId(), params.target.column: target, OBSERVED_AT: Moment()}
    return params.model_copy(update={"columns": columns})


def _taken(  # noqa: PLR0913, PLR0917 - a file, and all that it is held to
    source: RawObject,
    body: bytes,
    written_at: datetime,
    outcomes: Outcomes,
    captures: Captures,
    params: Params,
) -> TakenIn:
    """Import one version of an object."""
    columns = columns_of(params)
    try:
        table = read(source.key, body, columns)
    except DatasetUnreadable as error:
        return TakenIn(notes=(f"{error}.",))
    wrong = [
        f"{quoted(one.column or '')} {SAID[one.rule]}"
        for one in header_violations(columns.read, table.columns, table.repeated)
    ]
    if wrong:
        return TakenIn(notes=(f"{source.key} was not imported: {listed(wrong)}.",))
    judged = judge(table, columns)
    hold_to_time(judged, written_at, captures)
    counts: Counter[str] = Counter()
    for some in batched(judged.last_of_each(), AT_ONCE, strict=False):
        told = [
            Outcome(
                prediction_id=row.prediction_id,
                value=row.value,
                observed_at=row.observed_at,
                received_at=written_at,
                told_by=source.key,
            )
            for row in some
        ]
        came = became(told, outcomes.find({one.prediction_id for one in told}), ())
        new = [one for one, of_it in zip(told, came, strict=True) if of_it.is_new]
        outcomes.receive(new, written_at)
        counts.update(of_it.status if of_it.is_new else "known" for of_it in came)
    return TakenIn(
        taken=counts.total() - counts["known"],
        refused=len(judged.refused),
        notes=tuple(f"{source.key}: {note}" for note in judged.notes(counts)),
    )


@dataclass
class Judged:
    """The valid rows of a file, and what is wrong with the others.

    refused: the broken rule and its column, by row number. silent: rows without an outcome.
    read_as: how the file was read, in sentences.
    """

    rows: list[Row]
    refused: dict[int, tuple[str, str | None]]
    silent: int
    read_as: tuple[str, ...]

    def last_of_each(self) -> list[Row]:
        """Return each prediction's outcome that was observed last; for ties, the last row."""
        last: dict[str, Row] = {}
        for row in self.rows:
            before = last.get(row.prediction_id)
            if before is None or row.observed_at >= before.observed_at:
                last[row.prediction_id] = row
        return list(last.values())

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        """Describe how the file was read, which rows were refused, and what was done with the rest.

        counts: of outcomes, by status.
        """
        yield from self.read_as
        if self.silent:
            yield f"{counted(self.silent, 'row')} without an outcome ignored."
        broken: dict[tuple[str, str | None], list[int]] = {}
        for number in sorted(self.refused):
            broken.setdefault(self.refused[number], []).append(number)
        for (rule, column), numbers in broken.items():
            what = f"{quoted(column)} {SAID[rule]}" if column else SAID[rule]
            rows = listed(map(str, numbers[:FIRST_ROWS]))
            where = "row" if len(numbers) == 1 else "rows"
            first = "first in " if len(numbers) > FIRST_ROWS else "in "
            yield f"{counted(len(numbers), 'row')} refused: {what}, {first}{where} {rows}."
        if twice := len(self.rows) - len(self.last_of_each()):
            yield (
                f"{counted(twice, 'row')} not kept: another row has an outcome of the same "
                "prediction that was observed later, or at the same time and is further down."
            )
        for status, sentence in BECAME.items():
            if counts[status]:
                yield f"{counted(counts[status], 'outcome')} {sentence}"


def judge(table: Table, columns: Params) -> Judged:
    """Check each row against its columns' rules; only a row's first broken rule is reported."""
    meant, notes = as_meant(table, columns)
    kinds = columns.read
    target = columns.target.column
    broken = {
        name: {cell: rule for rule, cells in broken_rules(meant[name], kind) for cell in cells}
        for name, kind in kinds.items()
    }
    rows, refused, silent = list[Row](), dict[int, tuple[str, str | None]](), 0
    refused.update((number, ("row_width", None)) for number in table.ragged)
    for number, *cells in zip(
        table.numbers.tolist(), *(meant[name].rows for name in kinds), strict=True
    ):
        said = dict(zip(kinds, cells, strict=True))
        if not said[target]:
            silent += 1
            continue
        wrong = next((name for name, cell in said.items() if cell in broken[name]), None)
        if wrong is not None:
            refused[number] = broken[wrong][said[wrong]], wrong
            continue
        one, value, observed_at = (
            kind.value(kind.canonical(cell))
            for kind, cell in zip(kinds.values(), cells, strict=True)
        )
        moment = datetime.fromisoformat(str(observed_at))
        rows.append(Row(number, str(one), float(value or 0), moment))
    return Judged(rows, refused, silent, (*table.notes, *notes))


def hold_to_time(judged: Judged, written_at: datetime, captures: Captures) -> None:
    """Refuse outcomes observed after the file was written, or before the prediction."""
    days = captures.days_of({row.prediction_id for row in judged.rows})
    kept = []
    for row in judged.rows:
        if in_the_future(row.observed_at, written_at):
            judged.refused[row.number] = "in_the_future", OBSERVED_AT
        elif too_early(row.observed_at, days.get(row.prediction_id)):
            judged.refused[row.number] = "too_early", OBSERVED_AT
        else:
            kept.append(row)
    judged.rows = kept


def _key(source: RawObject) -> str:
    """Return a record's key, a digest, because object keys may contain unsuitable characters."""
    named = f"{source.key}\0{source.version_id}".encode()
    return f"{TAKEN}{hashlib.sha256(named).hexdigest()}.json"


def _is_there(bucket: Bucket, key: str) -> bool:
    try:
        bucket.get(key)
    except ArtefactMissing:
        return False
    return True
