"""Replay the last captured requests against candidate and champion, and compare their answers.

Both answer as in serving: averaged over unknown columns, clamped to the target's range, rounded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched, compress

import numpy as np
from bootstrap import Array, rmse_difference
from clinical.captured import Captured
from clinical.contract import asked_model
from clinical.groups import groups_by
from clinical.kinds import Value
from clinical.params import Params
from clinical.reference import Row
from clinical.verdict import Quantiles, Replayed, ReplayedGroup
from exporting import cell_of
from figures import bootstrap_of, scored
from model.loader import Loaded
from pydantic import ValidationError
from rows import digests_of
from simultaneous import errors_by_group
from subgroups import order_of
from wording import counted

from retrain.state import Seen

AT_ONCE = 1_000  # requests in one call of ONNX Runtime, as in a batch of the API
DECIMALS = 6  # of a figure, as the bootstrap has it
LEVELS = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}

type Which = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Asked:
    """A model, and the digests of the rows that it was trained on."""

    model: Loaded
    seen: Seen


@dataclass(frozen=True)
class Request:
    """A captured request, and its values under the current contract."""

    captured: Captured
    patient: dict[str, Value]


@dataclass(frozen=True)
class Answered:
    """The answers to requests (n,), as served; half_widths: of the intervals, unclamped."""

    scores: Array
    lows: Array
    highs: Array
    half_widths: Array

    def at(self, which: Which) -> "Answered":
        return Answered(*(one[which] for one in vars(self).values()))

    def same_as_captured(self, requests: Sequence[Request], version: str) -> int:
        """Count the requests that a version answered before, and those answered the same way."""
        figures = zip(self.scores.tolist(), self.lows.tolist(), self.highs.tolist(), strict=True)
        return sum(
            one.captured.model_version == version
            and (one.captured.score, one.captured.low, one.captured.high) == answered
            for one, answered in zip(requests, figures, strict=True)
        )


def replayed(
    captures: Sequence[Captured],
    outcomes: Mapping[str, float],
    candidate: Asked,
    champion: Asked,
    params: Params,
) -> tuple[Replayed, tuple[ReplayedGroup, ...]]:
    """Compare two models' answers to captured requests, after the champion with itself.

    outcomes: by prediction id, only those observed after the prediction.
    """
    told = Replayed(champion=champion.model.version)
    if not captures:
        return told.model_copy(update={"void": nothing("no requests have been captured yet")}), ()
    allowed = within_contract(captures, params)
    answerable = [one for one in allowed if champion.model.unrecorded(one.patient) is None]
    theirs = answers(champion.model, [one.patient for one in answerable])
    own = sum(one.captured.model_version == told.champion for one in allowed)
    told = told.model_copy(
        update={
            "notes": tuple(_left_out(len(captures), len(allowed), len(answerable))),
            "reproduced": own,
            "mismatches": own - theirs.same_as_captured(answerable, told.champion),
        }
    )
    if told.mismatches:
        return told.model_copy(update={"void": _does_not_reproduce(told)}), ()
    if not answerable:
        return told.model_copy(
            update={"void": nothing("none of the last requests can be replayed")}
        ), ()
    answered = [candidate.model.unrecorded(one.patient) is None for one in answerable]
    requests = list(compress(answerable, answered))
    refused = list(compress(answerable, (not one for one in answered)))
    ours = answers(candidate.model, [one.patient for one in requests])
    theirs = theirs.at(np.array(answered))
    change = np.round(ours.scores - theirs.scores, DECIMALS)
    moved = np.abs(change) > theirs.half_widths
    told = told.model_copy(update={"refused": len(refused)})
    if requests:
        told = told.model_copy(
            update={
                "requests": len(requests),
                "since": min(one.captured.predicted_at for one in requests),
                "until": max(one.captured.predicted_at for one in requests),
                "change": quantiles(change),
                "moved": round(float(moved.mean()), DECIMALS),
                "half_width": round(float(np.median(theirs.half_widths)), DECIMALS),
                **on_outcomes(requests, outcomes, (candidate, ours), (champion, theirs), params),
            }
        )
    return told, tuple(groups(requests, refused, change, moved, params))


def nothing(why: str) -> str:
    """Return a sentence that says why nothing was replayed."""
    return f"No requests were replayed: {why}."


def within_contract(captures: Sequence[Captured], params: Params) -> list[Request]:
    """Keep the requests that are still valid: the same columns, allowed values.

    Identifiers are not captured and not needed.
    """
    unknown = () if params.identifier is None else (params.identifier,)
    contract = asked_model("Replayed", "A captured request.", params, unknown)
    kept = []
    for one in captures:
        try:
            kept.append(Request(one, contract.model_validate(one.features).values))
        except ValidationError:
            continue
    return kept


def answers(model: Loaded, patients: Sequence[Row]) -> Answered:
    """Score patients with known combinations, in batches."""
    columns: list[Array] = [np.empty((4, 0))]
    for some in batched(patients, AT_ONCE, strict=False):
        found = model.scored(some)
        served = model.served(some, found)
        columns.append(
            np.array(
                [
                    [one.score for one in served],
                    [one.low for one in served],
                    [one.high for one in served],
                    found.half_widths,
                ]
            )
        )
    return Answered(*np.concatenate(columns, axis=1))


def quantiles(change: Array) -> Quantiles:
    found = np.quantile(change, list(LEVELS.values()))
    return Quantiles(
        **{name: round(float(one), DECIMALS) for name, one in zip(LEVELS, found, strict=True)}
    )


def on_outcomes(
    requests: Sequence[Request],
    outcomes: Mapping[str, float],
    candidate: tuple[Asked, Answered],
    champion: tuple[Asked, Answered],
    params: Params,
) -> dict[str, object]:
    """Compare the errors of both on requests with known outcomes that neither was trained on."""
    (ours, our_answers), (theirs, their_answers) = candidate, champion
    known = [
        (place, outcomes[one.captured.prediction_id])
        for place, one in enumerate(requests)
        if one.captured.prediction_id in outcomes
    ]
    rows = [(requests[place].patient, value) for place, value in known]
    new = new_to(ours, rows, params) & new_to(theirs, rows, params)
    told: dict[str, object] = {"outcomes": int(new.sum())}
    if new.sum() < params.gate.min_champion_rows:
        return told
    places = np.array([place for place, _ in known])[new]
    recorded = np.array([value for _, value in known])[new]
    errors, others = (one.scores[places] - recorded for one in (our_answers, their_answers))
    bootstrap = bootstrap_of(params)
    return told | {
        "candidate_scores": scored(errors, recorded, bootstrap),
        "champion_scores": scored(others, recorded, bootstrap),
        "rmse_difference": bootstrap.estimate(rmse_difference, errors, others),
        "rmse_difference_of_two": bootstrap.of_two().estimate(rmse_difference, errors, others),
    }


def new_to(asked: Asked, rows: Sequence[tuple[Row, float]], params: Params) -> Which:
    """Return which patients with their outcomes a model was not trained on: bool array (n,).

    Columns that were unknown at prediction may be in the training row, so all recorded values of
    them are tried.
    """
    model, target, known = asked.model, params.target.column, set(asked.seen.digests)

    def completed(patient: Row, value: float) -> list[list[str]]:
        unknown = model.unknown(patient)
        choices = model.reference.later.choices(patient, unknown) if unknown else ()
        each = [dict(zip(unknown, one.values, strict=True)) for one in choices] or [{}]
        rows = [{**patient, target: value, **one} for one in each]
        return [[cell_of(kind, row.get(name)) for name, kind in columns.items()] for row in rows]

    columns = {name: params.columns[name] for name in asked.seen.columns}
    return np.array(
        [known.isdisjoint(digests_of(completed(patient, value))) for patient, value in rows],
        np.bool_,
    )


def groups(
    requests: Sequence[Request],
    refused: Sequence[Request],
    change: Array,
    moved: Which,
    params: Params,
) -> Iterator[ReplayedGroup]:
    """Report the changes for each group in roles.subgroups, with joint intervals.

    change, moved: of the requests (n,).
    """
    features = tuple(params.roles.subgroups)
    group_of = groups_by(features, params)
    of_requests, of_refused = (
        [group_of(one.patient) for one in some] for some in (requests, refused)
    )
    named = [
        (feature, place, group)
        for place, feature in enumerate(features)
        for group in sorted(
            {names[place] for names in (*of_requests, *of_refused)}, key=order_of(feature, params)
        )
    ]
    members = [
        np.array([one[place] == group for one in of_requests], np.bool_)
        for _, place, group in named
    ]
    least = params.evaluation.min_subgroup_rows
    enough = [one for one in members if np.count_nonzero(one) >= least]
    family = np.array(enough, np.bool_).reshape(len(enough), len(requests)).T
    found = iter(errors_by_group(change, family, bootstrap_of(params)))
    for (feature, place, group), which in zip(named, members, strict=True):
        number = int(np.count_nonzero(which))
        told = ReplayedGroup(
            feature=feature,
            group=group,
            requests=number,
            refused=sum(one[place] == group for one in of_refused),
        )
        if number >= least:
            told = told.model_copy(
                update={
                    "mean_change": next(found).mean_error,
                    "moved": round(float(moved[which].mean()), DECIMALS),
                }
            )
        yield told


def _left_out(captured: int, allowed: int, answerable: int) -> Iterator[str]:
    for number, why in (
        (captured - allowed, "the current contract refuses {}"),
        (allowed - answerable, "such combinations are not recorded in the champion's data"),
    ):
        if number:
            were, them = ("was", "it") if number == 1 else ("were", "them")
            yield (
                f"Of the last {counted(captured, 'request')}, {number:,} {were} not replayed: "
                f"{why.format(them)}."
            )


def _does_not_reproduce(told: Replayed) -> str:
    return (
        f"The replay is void: the champion {told.champion} answers {told.mismatches:,} of its own "
        f"{counted(told.reproduced, 'captured prediction')} differently than when they were "
        "served, so its answers now do not show what it would have answered."
    )
