"""Summarise the results of a file's parts."""

import math
from collections.abc import Iterator, Sequence

from clinical import telemetry
from clinical.artefacts import Artefact, Artefacts, canonical_json, sha256
from clinical.params import Params
from pydantic import RootModel
from stage import RawBucket, Run, stage
from violations import FIRST_ROWS, Violation
from wording import counted

from score.keys import counts_key, summary_key
from score.marker import Marker, leave
from score.planned import details_of
from score.state import Counts, Described, Details, Plan, Scores, Skill, Summarised, Summary


class Parts(RootModel[int]):
    """The number of parts of a file."""


@stage(cached=False)
def summarise(  # noqa: PLR0913, PLR0917 - what is added up, and where it goes
    plan: Plan,
    parts: Parts,
    raw: RawBucket,
    artefacts: Artefacts,
    run: Run,
    params: Params,
) -> Summarised:
    """Write the summary last: it implies that all parts are written and marked for capture."""
    details = details_of(plan, artefacts)
    counts = [
        Counts.model_validate_json(artefacts.bucket.get(counts_key(run.execution, number)).body)
        for number in range(parts.root)
    ]
    summary = summary_of(run.execution, details, counts, params)
    if marker := marker_of(run, details, counts):
        leave(marker, artefacts.bucket)
    body, key = canonical_json(summary), summary_key(run.execution)
    raw.bucket.put(key, body)
    telemetry.note(
        model_version=summary.model_version,
        scored_rows=summary.scored,
        refused_rows=summary.refused,
    )
    return Summarised(
        summary=Artefact(key=key, sha256=sha256(body)),
        rows=summary.rows,
        scored=summary.scored,
        refused=summary.refused,
        parts=len(summary.parts),
        notes=summary.notes,
    )


def summary_of(
    execution: str, details: Details, counts: Sequence[Counts], params: Params
) -> Summary:
    """Return the summary of a file.

    counts: of its parts, in their order.
    """
    verdict = details.champion.verdict
    empty = sum(one.empty for one in counts)
    headers = sum(one.headers for one in counts) - 1
    notes = list(details.notes)
    if empty:
        notes.append(left_as_is(empty, "empty row"))
    if headers > 0:
        notes.append(left_as_is(headers, "repeated header"))
    return Summary(
        execution=execution,
        input=details.input,
        model_version=details.champion.version,
        model_skill=Skill(
            r2=round(verdict.candidate.r2.value, 4), beats_average=verdict.beats_average
        ),
        coverage=details.coverage,
        rows=sum(one.rows for one in counts),
        scored=sum(one.scored for one in counts),
        refused=sum(one.refused for one in counts),
        averaged=sum(one.averaged for one in counts),
        problems=tuple(added_up(counts, params)),
        scores=described([one.scores for one in counts if one.scored], params),
        notes=tuple(notes),
        columns=details.columns,
        parts=tuple(one.written for one in counts),
        disclaimer=params.study.disclaimer,
    )


def marker_of(run: Run, details: Details, counts: Sequence[Counts]) -> Marker | None:
    """Return the marker of the parts' predictions; None if there are none."""
    parts = tuple(one.predictions for one in counts if one.predictions)
    if not parts:
        return None
    return Marker(
        execution=run.execution,
        scored_at=run.now.replace(microsecond=run.now.microsecond // 1000 * 1000),
        model_version=details.champion.version,
        coverage=details.coverage,
        parts=parts,
    )


def left_as_is(number: int, thing: str) -> str:
    return f"{counted(number, thing)} left unchanged."


def added_up(counts: Sequence[Counts], params: Params) -> Iterator[Violation]:
    """Add up the problems of parts, in the order of the contract's columns."""
    found: dict[tuple[str, str | None], Violation] = {}
    for problem in (problem for one in counts for problem in one.problems):
        rule = problem.rule, problem.column
        before = found.get(rule, Violation(rule=problem.rule, column=problem.column, count=0))
        first = (*before.first_rows, *problem.first_rows)[:FIRST_ROWS]
        found[rule] = before.model_copy(
            update={"count": before.count + problem.count, "first_rows": first}
        )
    places = {name: place for place, name in enumerate(params.asked)}
    yield from sorted(found.values(), key=lambda one: (places.get(one.column or "", -1), one.rule))


def described(scores: Sequence[Scores], params: Params) -> Described | None:
    """Describe the scores of parts, all of which have some; None where there are none."""
    if not scores:
        return None
    counts = tuple(map(sum, zip(*(one.counts for one in scores), strict=True)))
    number = sum(counts)
    mean = math.fsum(one.sum for one in scores) / number
    squares = math.fsum(one.sum_of_squares for one in scores)
    variance = max(squares - number * mean**2, 0.0) / max(number - 1, 1)
    decimals = params.target.decimals + 2
    lowest, _ = params.scale
    band = params.width / len(counts)
    return Described(
        mean=round(mean, decimals),
        std=round(math.sqrt(variance), decimals),
        min=min(one.min for one in scores if one.min is not None),
        max=max(one.max for one in scores if one.max is not None),
        edges=tuple(round(lowest + place * band, 9) for place in range(len(counts) + 1)),
        counts=counts,
    )
