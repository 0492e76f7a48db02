"""Propose a params.yaml for a data set, with the reason for each guess as a comment."""

import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

import yaml
from cells import MISSING, SURELY_DECIMAL, SWAPPED, WITH_COMMA, WITH_POINT
from clinical.errors import DatasetUnreadable, ParamsInvalid
from clinical.kinds import Category, Kind
from clinical.params import Params, parse_params
from decoding import decoded
from header import NUMBER, SEPARATOR_LINE, folded
from records import SEPARATORS, Row, first_records, is_empty
from tables import Table, read
from wording import counted, listed, quoted

from local import guesses, scalars
from local.cloud import CloudFailed
from local.guesses import Cells, Guess

SCHEMA = "# yaml-language-server: $schema=../../params.schema.json"
PROPOSED = ("study", "schema", "target", "roles")  # the other sections are the root's
OF_THE_ROOTS_COLUMNS = "dropdown_keys"
LONGEST_NAME = 200  # of a column: YAML's keys end at 1,024 characters
BANDS = ("Low", "Moderate", "High")
FEWEST_SHOWN = 20  # the width of a target's range from which whole numbers are precise enough


@dataclass(frozen=True)
class Asked:
    """A user's request: the data set's target, its identifier, the study's name."""

    target: str
    identifier: str | None
    study: str


@dataclass(frozen=True)
class DataSet:
    """A data set as it was read: its columns in the file's order, and notes on what was skipped."""

    name: str
    size: int
    rows: int
    columns: dict[str, Cells]
    notes: tuple[str, ...]


def proposal(name: str, body: bytes, asked: Asked, root: str) -> str:
    """Return the text of a valid params.yaml for a data set.

    name: of the file. root: the text of the root's params.yaml, whose other sections are copied.
    Raises CloudFailed, which says what to do, if none can be proposed.
    """
    try:
        data = _data_set(name, body, asked, parse_params(root))
    except DatasetUnreadable as error:
        raise CloudFailed(str(error)) from error
    found = _guesses(data, asked)
    text = "\n".join(
        [
            *_head(data, asked, root),
            *_study(data, asked),
            *_schema(found),
            *_target(data.columns[asked.target], asked.target),
            *_roles(data, found, asked),
            *_taken_over(root),
        ]
    )
    try:
        parse_params(f"{text}\n")
    except ParamsInvalid as error:
        raise CloudFailed(f"cannot propose a valid params.yaml: {error}") from error
    return f"{text}\n"


def resolved(name: str, body: bytes, asked: Asked) -> Asked:
    """Return the request with the columns' exact names; raises CloudFailed."""
    try:
        names = [cell.strip() for cell in _header(name, decoded(name, body)[0], asked.target)]
    except DatasetUnreadable as error:
        raise CloudFailed(str(error)) from error
    target = _column(name, names, asked.target, "TARGET")
    patient = asked.identifier and _column(name, names, asked.identifier, "ID")
    if patient == target:
        raise CloudFailed(f"TARGET= and ID= both name {quoted(target)}: they must be two columns")
    return replace(asked, target=target, identifier=patient)


# ---- Reading ----


def _data_set(name: str, body: bytes, asked: Asked, decided: Params) -> DataSet:
    """Read a data set as the pipeline does, without knowing the kinds of its columns."""
    names = [cell.strip() for cell in _header(name, decoded(name, body)[0], asked.target)]
    twice = [column for column, count in Counter(filter(None, names)).items() if count > 1]
    if twice:
        raise CloudFailed(
            f"{name} has several columns named {listed(map(quoted, twice))}: column names must be "
            "unique"
        )
    if any(len(column) > LONGEST_NAME for column in names):
        raise CloudFailed(f"{name} has a column name of more than {LONGEST_NAME} characters")
    some = Category(kind="category", values=("-",))
    columns: dict[str, Kind] = {column: some for column in names if column}
    if len(columns) < 2:  # noqa: PLR2004
        raise CloudFailed(f"{name} has only one column: there is nothing to predict from")
    table = read(name, body, decided.model_copy(update={"columns": columns}))
    if not len(table.numbers):
        raise CloudFailed(f"{name} has no row with as many cells as its header")
    notes = list(table.notes)
    if table.ragged:
        notes.append(f"Skipped {counted(len(table.ragged), 'row')} with another number of cells.")
    if (unnamed := len(names) - len(columns)) > 0:
        notes.append(f"Skipped {counted(unnamed, 'column')} without a name.")
    meant, more = _as_meant(table)
    return DataSet(name, len(body), len(table.numbers), meant, (*notes, *more))


def _header(name: str, text: str, target: str) -> Row:
    """Find the row that names the target, with any separator."""
    first: Row = []
    found: Row = []
    for separator in SEPARATORS:
        rows = [
            row
            for number, row in first_records(text, separator)
            if not is_empty(row) and not (number == 1 and SEPARATOR_LINE.match(text))
        ]
        naming = [row for row in rows if folded(target) in map(folded, row)]
        found = max(found, naming[0] if naming else [], key=len)
        first = max(first, rows[0] if rows else [], key=len)
    if found:
        return found
    if not first:
        raise CloudFailed(f"{name} is empty: it needs a header and rows below it")
    raise CloudFailed(f"{name} has no column {quoted(target)}{_those_there_are(first, target)}")


def _those_there_are(first: Row, wanted: str) -> str:
    """List the columns, unless the first row may be a patient's."""
    names = [cell.strip() for cell in first if cell.strip()]
    if any(NUMBER.fullmatch(cell) for cell in names):
        return ": row 1 must contain the column names"
    close = get_close_matches(wanted, names, n=1)
    meant = f"; did you mean {quoted(close[0])}?" if close else ""
    return f": its columns are {listed(map(quoted, names))}{meant}"


def _column(name: str, names: list[str], wanted: str, said: str) -> str:
    """Find a column: by its exact name, or else by its normalised name."""
    exact = [one for one in names if one == wanted]
    alike = exact or [one for one in names if one and folded(one) == folded(wanted)]
    if len(alike) != 1:
        what = "more than one column" if alike else "no column"
        raise CloudFailed(
            f"{name} has {what} {quoted(wanted)}, which {said}= names"
            f"{'' if alike else _those_there_are(names, wanted)}"
        )
    return alike[0]


def _as_meant(table: Table) -> tuple[dict[str, Cells], list[str]]:
    """Write missing cells as "", and decimal commas as points, as the pipeline does."""
    found = {}
    for name, column in table.columns.items():
        words = frozenset(cell for cell in column.cells if cell and cell.casefold() in MISSING)
        meant = column.rewritten(dict.fromkeys(words, ""))
        found[name] = Cells(name, tuple(meant.rows), words)
    swapped = {
        name: replace(column, cells=tuple(cell.translate(SWAPPED) for cell in column.cells))
        for name, column in found.items()
    }
    numeric = [name for name in found if found[name].is_number or swapped[name].is_number]
    if table.separator == "," or not _has_decimal_commas([found[name] for name in numeric]):
        return found, []
    return {**found, **{name: swapped[name] for name in numeric}}, [
        "Decimal commas read as decimal points."
    ]


def _has_decimal_commas(numeric: list[Cells]) -> bool:
    commas = points = 0
    is_sure = False
    for column in numeric:
        for cell, count in column.counts.items():
            if WITH_COMMA.fullmatch(cell):
                commas += count
                is_sure = is_sure or SURELY_DECIMAL.fullmatch(cell) is not None
            elif WITH_POINT.fullmatch(cell):
                points += count
    return is_sure and commas > points


# ---- Guessing ----


def _guesses(data: DataSet, asked: Asked) -> dict[str, Guess]:
    """Guess the kind of each column."""
    target = data.columns[asked.target]
    _check_target(data, target)
    patient = asked.identifier
    if patient is not None:
        _check_identifier(data, data.columns[patient])
    else:
        others = (column for column in data.columns.values() if column is not target)
        patient = next((one.name for one in others if guesses.may_identify(one)), None)
    found = {}
    for name, column in data.columns.items():
        if name == asked.target:
            found[name] = _outcome(target)
        elif name == patient:
            found[name] = guesses.identifier(column)
        else:
            found[name] = _warned(column, guesses.guess(column), target)
    if not any(one.is_feature for name, one in found.items() if name != asked.target):
        raise CloudFailed(
            f"{data.name} has no column to predict from: each is constant, a copy of the target, "
            "or may identify patients"
        )
    return found


def _check_target(data: DataSet, target: Cells) -> None:
    if not guesses.is_measured(target):
        why = "is always the same" if target.is_number else "is not a number in every row"
        if target.is_number and len(target.levels) > 1:
            why = "has numbers too large to be measurements"
        raise CloudFailed(
            f"{quoted(target.name)} of {data.name} {why}: a target must be a number, such as a "
            "score or a measurement, that differs between patients"
        )


def _check_identifier(data: DataSet, patient: Cells) -> None:
    if not patient.is_unique:
        repeated = sum(count > 1 for count in patient.counts.values())
        raise CloudFailed(
            f"{quoted(patient.name)} of {data.name} does not identify patients: {repeated:,} of "
            f"its values are in several rows, {patient.missing:,} are missing; a data set must "
            "have one row per patient"
        )
    if max(map(len, patient.cells)) > guesses.LONGEST_ID:
        raise CloudFailed(
            f"{quoted(patient.name)} has identifiers of more than {guesses.LONGEST_ID} characters"
        )


def _outcome(target: Cells) -> Guess:
    found = guesses.measured(target).saying("The target.")
    if target.missing:
        return found.saying("Training rejects rows without it: remove them from the data set.")
    return found


def _warned(column: Cells, found: Guess, target: Cells) -> Guess:
    """Warn if a column may reveal the outcome, which is not known at prediction time."""
    if guesses.is_copy(column, target):
        return guesses.ignored("A copy of the target.")
    if not found.is_feature:
        return found
    alike = guesses.correlation(column, target)
    warnings = []
    if abs(alike) > guesses.A_COPY:
        warnings.append(f"CHECK: it almost determines the target (correlation {alike:.3f}).")
    if guesses.shares_prefix(column.name, target.name):
        warnings.append("CHECK: its name resembles the target's.")
    if guesses.LATER.search(column.name):
        warnings.append("CHECK: by its name, it may have been recorded after the treatment.")
    if warnings:
        warnings.append("Columns that are known only with or after the outcome must be ignored.")
    return found.saying(*warnings)


# ---- Writing ----


def _comment(text: str, indent: str = "") -> Iterator[str]:
    """Wrap a comment; each CHECK begins a line."""
    begins = f"{indent}# "
    for paragraph in re.split(r" (?=CHECK:)", text):
        yield from textwrap.wrap(
            paragraph,
            scalars.WIDTH,
            initial_indent=begins,
            subsequent_indent=begins,
            break_long_words=False,
        )


def _head(data: DataSet, asked: Asked, root: str) -> Iterator[str]:
    yield SCHEMA
    yield from _comment(
        f"Proposed by `make study` from {quoted(data.name)}, {counted(data.rows, 'row')}. Each "
        "guess has its reason: correct what is wrong, describe the columns for people (label, "
        f"unit, description), and run `make check-params STUDY={asked.study}`."
    )
    if data.notes:
        yield from _comment(f"How the file was read: {' '.join(data.notes)}")
    limits = yaml.safe_load(root)["dataset"]
    if data.rows < limits["min_rows"]:
        yield from _comment(f"CHECK: training needs at least {limits['min_rows']} rows.")
    if data.size > limits["max_bytes"]:
        yield from _comment(f"CHECK: training accepts at most {limits['max_bytes']:,} bytes.")
    yield ""


def _study(data: DataSet, asked: Asked) -> Iterator[str]:
    label = " ".join(asked.target.replace("_", " ").split())
    yield "# Texts about the study, for its site, API and model cards."
    yield "study:"
    for key, words in {
        "title": asked.study.replace("-", " ").capitalize(),
        "question": f"What might {label} be?",
        "introduction": (
            f"Describe one patient. A model of {counted(data.rows, 'recorded patient')} estimates "
            f"{label}."
        ),
        "disclaimer": (
            "For research support only: an estimate from recorded data, not a diagnosis and not "
            "treatment advice."
        ),
    }.items():
        yield f"  {key}: {scalars.word(words)}"
    yield "  # CHECK: write randomised if treatments were assigned at random."
    yield "  assignment: observed"
    yield "  # Statements that only people can make go under report: `make report` lists them."
    yield ""


def _schema(found: dict[str, Guess]) -> Iterator[str]:
    yield from _comment(
        "Ranges and lists are the recorded ones; values outside them are refused, in data and in "
        "requests. If you expect other values, widen them and train on data that have them."
    )
    yield "schema:"
    for name, one in found.items():
        yield from _comment(" ".join(one.why), "  ")
        yield f"  {scalars.word(name)}:"
        yield f"    kind: {one.kind}"
        for key, value in one.settings.items():
            yield from scalars.setting(key, value, "    ")
    yield ""


def _target(target: Cells, name: str) -> Iterator[str]:
    low, high = target.levels[0], target.levels[-1]
    decimals = target.decimals or (0 if high - low >= FEWEST_SHOWN else 1)
    yield "target:"
    yield f"  column: {scalars.word(name)}"
    yield f"  decimals: {decimals} # of predictions"
    yield "  higher_is: better # CHECK: or worse"
    yield from _comment(
        "Where each band begins: each has a third of the patients, if the values allow it. CHECK: "
        "use the names and the limits that clinicians use.",
        "  ",
    )
    bands = [f"{band}: {start}" for band, start in _bands(target).items()]
    yield f"  bands: {{{', '.join(bands)}}}"
    yield ""


def _bands(target: Cells) -> dict[str, str]:
    """Divide the patients into thirds; or the values, if most patients have one of the ends."""
    low, high = target.levels[0], target.levels[-1]
    for numbers in (target.numbers, target.levels):
        thirds = {numbers[len(numbers) * part // 3] for part in (1, 2)}
        starts = [low, *sorted(start for start in thirds if low < start < high)]
        if len(starts) > 1:
            break
    names = {1: ("All",), 2: (BANDS[0], BANDS[2]), 3: BANDS}[len(starts)]
    written = [scalars.number(start, target.decimals) for start in starts]
    return dict(zip(names, written, strict=True))


def _roles(data: DataSet, found: dict[str, Guess], asked: Asked) -> Iterator[str]:
    features = {name: one for name, one in found.items() if one.is_feature and name != asked.target}
    treatment = _treatment(features)
    yield "roles:"
    guessed = ", guessed from the names" if treatment else ""
    yield f"  # CHECK: the columns that can be chosen for a patient{guessed}."
    yield from scalars.setting("treatment", treatment, "  ")
    yield from _comment(
        "Predictions are made only for combinations of these that were recorded; [] for no such "
        "rule.",
        "  ",
    )
    yield from scalars.setting("recorded_together", treatment, "  ")
    yield "  # CHECK: features that are not known before treatment, such as side effects."
    yield "  known_after_treatment: []"
    groups = list(_groups(data, features))
    yield "  # Errors are reported for these; for a number, list where its bands begin."
    yield f"  subgroups:{'' if groups else ' {}'}"
    yield from groups
    yield ""


def _treatment(features: dict[str, Guess]) -> list[str]:
    """Choose columns named like a treatment; yes or no, which may be a history, only if alone."""
    found = {
        name: one
        for name, one in features.items()
        if one.is_choice and guesses.TREATMENT.search(name) and not guesses.LATER.search(name)
    }
    of_several = [name for name, one in found.items() if one.kind != "yes_no"]
    return [scalars.word(name) for name in of_several or found]


def _groups(data: DataSet, features: dict[str, Guess]) -> Iterator[str]:
    for name, one in features.items():
        if one.kind in {"category", "yes_no", "level"} and guesses.GROUP.search(name):
            yield f"    {scalars.word(name)}:"
        elif one.kind in {"whole_number", "number"} and guesses.AGE.search(name):
            levels, decimals = data.columns[name].levels, data.columns[name].decimals
            low, high = levels[0] + guesses.YEARS_A_BAND, levels[-1] - guesses.YEARS_A_BAND
            between = [age for age in guesses.AGES if low <= age <= high]
            starts = [scalars.number(start, decimals) for start in (levels[0], *between)]
            yield f"    {scalars.word(name)}: {scalars.inline(starts)}"


def _taken_over(root: str) -> list[str]:
    """Copy the root's other sections, with their comments."""
    lines = root.splitlines()
    document = yaml.compose(root, Loader=yaml.SafeLoader)
    sections = document.value if document is not None else []
    starts = {key.value: _with_comment(lines, key.start_mark.line) for key, _ in sections}
    ends = [*sorted(starts.values()), len(lines)]
    kept: list[str] = []
    for name, start in starts.items():
        if name not in PROPOSED:
            kept += lines[start : ends[ends.index(start) + 1]]
    return _without(kept, OF_THE_ROOTS_COLUMNS)


def _without(lines: list[str], key: str) -> list[str]:
    """Remove a key, with its contents and the comment above it."""
    place = next((n for n, line in enumerate(lines) if line.strip() == f"{key}:"), None)
    if place is None:
        return lines
    depth = re.match(" *", lines[place])
    end = place + 1
    while depth and end < len(lines) and lines[end].startswith(f"{depth[0]} "):
        end += 1
    kept = [*lines[: _with_comment(lines, place)], *lines[end:]]
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _with_comment(lines: list[str], start: int) -> int:
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return start
