"""Propose a params.yaml for a data set: what was guessed, and why, as comments beside it."""

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
FEWEST_SHOWN = 20  # widths of a target's range from which whole numbers are exact enough


@dataclass(frozen=True)
class Asked:
    """What a user says of a data set: its target, the column of patients' ids, the study's name."""

    target: str
    identifier: str | None
    study: str


@dataclass(frozen=True)
class DataSet:
    """What was read: its columns in the file's order, and what was overlooked."""

    name: str
    size: int
    rows: int
    columns: dict[str, Cells]
    notes: tuple[str, ...]


def proposal(name: str, body: bytes, asked: Asked, root: str) -> str:
    """Give the text of a params.yaml for a data set, which is one that can be used.

    name: of the file. root: the text of the root's params.yaml, whose other decisions are taken
    over. Raises CloudFailed, which says what is to be done, where none can be proposed.
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
        raise CloudFailed(f"no valid params.yaml could be proposed: {error}") from error
    return f"{text}\n"


def resolved(name: str, body: bytes, asked: Asked) -> Asked:
    """Give what was asked with the very names that the columns have; raises CloudFailed."""
    try:
        names = [cell.strip() for cell in _header(name, decoded(name, body)[0], asked.target)]
    except DatasetUnreadable as error:
        raise CloudFailed(str(error)) from error
    target = _column(name, names, asked.target, "TARGET")
    patient = asked.identifier and _column(name, names, asked.identifier, "ID")
    if patient == target:
        raise CloudFailed(f"TARGET and ID are both {quoted(target)}: they are two columns")
    return replace(asked, target=target, identifier=patient)


# ---- Reading ----


def _data_set(name: str, body: bytes, asked: Asked, decided: Params) -> DataSet:
    """Read a data set as the pipeline does, without knowing what its columns are."""
    names = [cell.strip() for cell in _header(name, decoded(name, body)[0], asked.target)]
    twice = [column for column, count in Counter(filter(None, names)).items() if count > 1]
    if twice:
        raise CloudFailed(
            f"{name} names {listed(map(quoted, twice))} more than once: a column has a name of its "
            "own"
        )
    if any(len(column) > LONGEST_NAME for column in names):
        raise CloudFailed(f"{name} has a column whose name is over {LONGEST_NAME} characters long")
    some = Category(kind="category", values=("-",))
    columns: dict[str, Kind] = {column: some for column in names if column}
    if len(columns) < 2:  # noqa: PLR2004
        raise CloudFailed(f"{name} has one column only: there is nothing to predict from")
    table = read(name, body, decided.model_copy(update={"columns": columns}))
    if not len(table.numbers):
        raise CloudFailed(f"{name} has no row as wide as its header")
    notes = list(table.notes)
    if table.ragged:
        notes.append(f"{counted(len(table.ragged), 'row')} of another width not looked at.")
    if (unnamed := len(names) - len(columns)) > 0:
        notes.append(f"{counted(unnamed, 'column')} without a name not looked at.")
    meant, more = _as_meant(table)
    return DataSet(name, len(body), len(table.numbers), meant, (*notes, *more))


def _header(name: str, text: str, target: str) -> Row:
    """Find the row that names the target, whatever separates its cells."""
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
    """Name the columns that there are, unless the first row may be a patient's."""
    names = [cell.strip() for cell in first if cell.strip()]
    if any(NUMBER.fullmatch(cell) for cell in names):
        return ": row 1 must contain the column names"
    close = get_close_matches(wanted, names, n=1)
    meant = f"; did you mean {quoted(close[0])}?" if close else ""
    return f": there are {listed(map(quoted, names))}{meant}"


def _column(name: str, names: list[str], wanted: str, said: str) -> str:
    """Find the column that is meant: by its very name, else by what that amounts to."""
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
    """Write what is missing as "", and decimal commas as points, as the pipeline does."""
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
    """Guess what each column is."""
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
            "or may tell who a patient is"
        )
    return found


def _check_target(data: DataSet, target: Cells) -> None:
    if not guesses.is_measured(target):
        why = "is always the same" if target.is_number else "is not a number in every row"
        if target.is_number and len(target.levels) > 1:
            why = "has numbers too large to be measurements"
        raise CloudFailed(
            f"{quoted(target.name)} of {data.name} {why}: a target is a number, such as a score "
            "or a measurement, and differs between patients"
        )


def _check_identifier(data: DataSet, patient: Cells) -> None:
    if not patient.is_unique:
        repeated = sum(count > 1 for count in patient.counts.values())
        raise CloudFailed(
            f"{quoted(patient.name)} of {data.name} does not name patients: {repeated:,} of its "
            f"values stand in several rows, {patient.missing:,} are missing; a data set has one "
            "row a patient"
        )
    if max(map(len, patient.cells)) > guesses.LONGEST_ID:
        raise CloudFailed(f"{quoted(patient.name)} has ids over {guesses.LONGEST_ID} characters")


def _outcome(target: Cells) -> Guess:
    found = guesses.measured(target).saying("The target.")
    if target.missing:
        return found.saying("Training refuses rows without it: leave them out of the data set.")
    return found


def _warned(column: Cells, found: Guess, target: Cells) -> Guess:
    """Say of a column if it may tell the outcome, which nobody knows when predicting."""
    if guesses.is_copy(column, target):
        return guesses.ignored("A copy of the target.")
    if not found.is_feature:
        return found
    alike = guesses.correlation(column, target)
    warnings = []
    if abs(alike) > guesses.A_COPY:
        warnings.append(f"CHECK: it nearly tells the target (correlation {alike:.3f}).")
    if guesses.shares_prefix(column.name, target.name):
        warnings.append("CHECK: it is called like the target.")
    if guesses.LATER.search(column.name):
        warnings.append("CHECK: by its name, it may have been recorded after the treatment.")
    if warnings:
        warnings.append("What is known only with the outcome or after it must be ignored.")
    return found.saying(*warnings)


# ---- Writing ----


def _comment(text: str, indent: str = "") -> Iterator[str]:
    """Wrap a comment; what is to be checked begins a line."""
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
        "guess says why: correct what is wrong, write what the columns are to people (label, unit, "
        f"description), and run `make check-params STUDY={asked.study}`."
    )
    if data.notes:
        yield from _comment(f"As it was read: {' '.join(data.notes)}")
    limits = yaml.safe_load(root)["dataset"]
    if data.rows < limits["min_rows"]:
        yield from _comment(f"CHECK: training asks for {limits['min_rows']} rows at least.")
    if data.size > limits["max_bytes"]:
        yield from _comment(f"CHECK: training takes {limits['max_bytes']:,} bytes at most.")
    yield ""


def _study(data: DataSet, asked: Asked) -> Iterator[str]:
    label = " ".join(asked.target.replace("_", " ").split())
    yield "# In words, as the site, the API and model cards say them."
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
    yield "  # CHECK: say randomised if treatments were drawn by lot."
    yield "  assignment: observed"
    yield "  # What only people can state goes under report: `make report` lists what is missing."
    yield ""


def _schema(found: dict[str, Guess]) -> Iterator[str]:
    yield from _comment(
        "Ranges and lists are the recorded ones, and what is beyond them is refused, in data and "
        "in requests: widen them where more is to come, and train on data that have it."
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
        "Where each begins: a third of the patients each, where values allow. CHECK: name them as "
        "clinicians do, and let them begin where those see a difference.",
        "  ",
    )
    bands = [f"{band}: {start}" for band, start in _bands(target).items()]
    yield f"  bands: {{{', '.join(bands)}}}"
    yield ""


def _bands(target: Cells) -> dict[str, str]:
    """Divide the patients into thirds; the values, where most patients have one of the ends."""
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
    by_name = "by its name" if len(treatment) == 1 else "by their names"
    yield "roles:"
    yield f"  # CHECK: what can be chosen for a patient{f', {by_name}' if treatment else ''}."
    yield from scalars.setting("treatment", treatment, "  ")
    yield from _comment(
        "A prediction is made for what the data recorded together alone; [] asks for no such "
        "thing.",
        "  ",
    )
    yield from scalars.setting("recorded_together", treatment, "  ")
    yield "  # CHECK: features that nobody knows before the treatment, such as side effects."
    yield "  known_after_treatment: []"
    groups = list(_groups(data, features))
    yield "  # Whom errors are told of; a number by where its bands begin."
    yield f"  subgroups:{'' if groups else ' {}'}"
    yield from groups
    yield ""


def _treatment(features: dict[str, Guess]) -> list[str]:
    """Take what is called a treatment; a yes or no, which may be a history, if nothing else is."""
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
    """Take the root's other decisions over, with their comments."""
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
    """Leave a key out, with what is deeper than it and the comment above it."""
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
