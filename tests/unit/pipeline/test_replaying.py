"""Captured requests are asked once more, of real models that are small."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

import numpy as np
import pytest
from clinical.captured import Captured
from clinical.params import Params, params, parse_params
from clinical.reference import Reference
from clinical.registry import MODEL, REFERENCE, TRAINING_ROWS
from clinical.verdict import Replayed, ReplayedGroup
from model.loader import ready
from model.scorer import Scorer
from retrain.replaying import Asked, replayed
from retrain.state import Seen

from data.generate import patients
from tests.captures import answered
from tests.studies import study
from tests.unit.conftest import Candidate, MadeOnce, candidate_on
from tests.unit.pipeline import test_studies as studies

MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
LATER, TARGET = "Side_Effects", "Improvement_Score"
NEVER = "v-00000000"


def asked_of(candidate: Candidate, version: str, decisions: Params | None = None) -> Asked:
    decisions = decisions or params()
    model = ready(
        version,
        Scorer(candidate.files[MODEL]),
        Reference.model_validate_json(candidate.files[REFERENCE]),
        decisions,
    )
    return Asked(model, Seen.model_validate_json(candidate.files[TRAINING_ROWS]))


@pytest.fixture(scope="module")
def champion(candidate: Candidate) -> Asked:
    return asked_of(candidate, "v-11111111")


@pytest.fixture(scope="module")
def other(challenger: Candidate) -> Asked:
    return asked_of(challenger, "v-22222222")


@pytest.fixture(scope="module")
def captures(champion: Asked) -> list[Captured]:
    """What the champion answered to patients, of every other of whom side effects are not known."""
    asked = [
        one | {LATER: None} if place % 2 else one for place, one in enumerate(patients(300, 7))
    ]
    return answered(champion.model, asked, MONDAY)


def replay(
    captures: Sequence[Captured],
    candidate: Asked,
    champion: Asked,
    outcomes: dict[str, float] | None = None,
    decisions: Params | None = None,
) -> Replayed:
    found, _ = replayed(captures, outcomes or {}, candidate, champion, decisions or params())
    return found


def told_otherwise(one: Captured, **features: Any) -> Captured:
    return replace(one, features={**one.features, **features})


# ---- The champion, asked once more ----


def test_the_champion_reproduces_what_it_answered(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    found = replay(captures, other, champion)

    assert (found.reproduced, found.mismatches, found.void) == (len(captures), 0, "")
    assert (found.requests, found.refused, found.champion) == (len(captures), 0, "v-11111111")
    assert (found.since, found.until) == (captures[0].predicted_at, captures[-1].predicted_at)
    assert found.moved == 0  # of two that are about the same
    assert found.change is not None
    assert found.change.p05 < found.change.p50 < found.change.p95


@pytest.mark.parametrize("figure", ["score", "low", "high"])
def test_one_that_it_answers_otherwise_by_now_makes_the_replay_void(
    captures: list[Captured], champion: Asked, other: Asked, figure: str
) -> None:
    altered = replace(captures[9], **{figure: getattr(captures[9], figure) + 0.01})

    found = replay([*captures[:9], altered], other, champion)

    assert (found.reproduced, found.mismatches) == (10, 1)
    assert found.void == (
        "The replay is void: the champion v-11111111 answers 1 of its own 10 captured predictions "
        "differently than when they were served, so its answers now do not show what it would have "
        "answered."
    )
    assert (found.change, found.moved, found.rmse_difference) == (None, None, None)


def test_one_that_it_refuses_by_now_is_one_that_it_answers_otherwise(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    unheard = told_otherwise(captures[0], Condition="Depression", Drug_Name="Insulin Glargine")

    found = replay([unheard, *captures[1:10]], other, champion)

    assert (found.reproduced, found.mismatches) == (10, 1)


def test_predictions_of_a_version_that_is_gone_are_requests_all_the_same(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    of_others = [replace(one, model_version=NEVER, score=1.0) for one in captures]

    found = replay(of_others, other, champion)

    assert (found.reproduced, found.mismatches, found.requests) == (0, 0, len(captures))
    assert found.moved == replay(captures, other, champion).moved


def test_the_champion_itself_changes_nothing(captures: list[Captured], champion: Asked) -> None:
    outcomes = {one.prediction_id: 5.0 for one in captures}

    found = replay(captures, champion, champion, outcomes)

    assert found.moved == 0
    assert found.change is not None
    assert set(found.change.model_dump().values()) == {0}
    assert found.rmse_difference is not None
    assert set(found.rmse_difference.model_dump().values()) == {0}


# ---- What cannot be asked ----


def test_without_captures_nothing_is_replayed(champion: Asked, other: Asked) -> None:
    found = replay([], other, champion)

    assert found.void == "No requests were replayed: no requests have been captured yet."
    assert found.requests == 0


@pytest.mark.parametrize(
    "features",
    [
        {"Weight": 70},
        {"Condition": "Boredom"},
        {"Age": "old"},
        {"Age": 200},
        {"Age": None},
        {"Gender": 1},
    ],
    ids=["a_removed_column", "a_word", "a_type", "a_number", "nothing", "another_kind"],
)
def test_what_the_contract_refuses_by_now_is_left_out_and_counted(
    captures: list[Captured], champion: Asked, other: Asked, features: dict[str, Any]
) -> None:
    wrong = [replace(told_otherwise(one, **features), model_version=NEVER) for one in captures[:2]]

    found = replay([*wrong, *captures[2:12]], other, champion)

    assert (found.requests, found.mismatches, found.void) == (10, 0, "")
    assert found.notes == (
        "Of the last 12 requests, 2 were not replayed: the current contract refuses them.",
    )


def test_a_column_that_is_new_has_all_older_requests_left_out(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    older = [
        replace(
            one,
            model_version=NEVER,
            features={name: value for name, value in one.features.items() if name != "Age"},
        )
        for one in captures[:5]
    ]

    found = replay(older, other, champion)

    assert found.requests == 0
    assert found.void == "No requests were replayed: none of the last requests can be replayed."
    assert found.notes == (
        "Of the last 5 requests, 5 were not replayed: the current contract refuses them.",
    )


def test_requests_that_the_champion_does_not_answer_are_left_out(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    unheard = replace(
        told_otherwise(captures[0], Condition="Depression", Drug_Name="Insulin Glargine"),
        model_version=NEVER,
    )

    found = replay([unheard, *captures[1:10]], other, champion)

    assert (found.requests, found.void) == (9, "")
    (note,) = found.notes
    assert note == (
        "Of the last 10 requests, 1 was not replayed: such combinations are not "
        "recorded in the champion's data."
    )


def knowing(asked: Asked, **changed: Any) -> Asked:
    """The same model with another reference."""
    model = asked.model
    # Not a copy: it would have what was derived of the reference before.
    reference = Reference.model_validate(model.reference.model_dump() | changed)
    return replace(asked, model=ready(model.version, model.scorer, reference, model.params))


def lacking(asked: Asked, combinations: int) -> Asked:
    return knowing(asked, combinations=asked.model.reference.combinations[:combinations])


def test_what_the_candidate_alone_would_refuse_is_counted(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    fewer = lacking(other, 150)

    found, groups = replayed(captures, {}, fewer, champion, params())

    assert found.refused > 0
    assert found.requests == len(captures) - found.refused
    of_gender = [one for one in groups if one.feature == "Gender"]
    assert sum(one.refused for one in of_gender) == found.refused
    assert sum(one.requests for one in of_gender) == found.requests


def test_where_it_would_refuse_all_of_them_there_are_no_figures(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    known = dict(other.model.reference.combinations[0].values)
    del known[LATER]
    unknown = [one for one in captures if not known.items() <= one.features.items()]

    found, groups = replayed(unknown, {}, lacking(other, 1), champion, params())

    assert (found.requests, found.refused, found.void) == (0, len(unknown), "")
    assert (found.change, found.moved) == (None, None)
    assert all(one.requests == 0 and one.mean_change is None for one in groups)


def test_one_request_is_enough_to_say_what_changes(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    found, groups = replayed(captures[:1], {}, other, champion, params())

    assert found.requests == 1
    assert found.change is not None
    assert found.change.p05 == found.change.p95
    assert {one.mean_change for one in groups} == {None}  # too few


# ---- What changes, and for whom ----


def narrow(asked: Asked, half_width: float) -> Asked:
    """The same model with intervals of one width, and of twice that around means."""
    reference = asked.model.reference
    return knowing(
        asked,
        interval=reference.interval.model_copy(update={"half_width": half_width}),
        averaged=[
            one.model_copy(update={"half_width": 2 * half_width}) for one in reference.averaged
        ],
    )


def test_a_score_moves_that_changes_by_more_than_its_own_intervals_half_width(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    of_others = [replace(one, model_version=NEVER) for one in captures]

    found = replay(of_others, other, narrow(champion, 0.1))

    widths = [0.2 if one.averaged_over else 0.1 for one in captures]
    moved = 0
    for one, half_width in zip(captures, widths, strict=True):
        (new,) = other.model.predict([one.features])
        moved += round(abs(new.score - one.score), 6) > half_width
    assert found.moved == round(moved / len(captures), 6) > 0
    assert found.half_width == pytest.approx(median(widths))


def test_each_subgroup_says_what_changes_for_it(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    _, groups = replayed(captures, {}, other, champion, params())

    assert {one.feature for one in groups} == set(params().roles.subgroups)
    women = next(one for one in groups if one.group == "Female")
    asked = [one.features for one in captures if one.features["Gender"] == "Female"]
    change = np.array(
        [
            new.score - old.score
            for new, old in zip(
                other.model.predict(asked), champion.model.predict(asked), strict=True
            )
        ]
    )
    assert women.requests == len(asked)
    assert women.mean_change is not None
    assert women.mean_change.value == pytest.approx(change.mean(), abs=1e-6)
    assert women.mean_change.low < women.mean_change.value < women.mean_change.high


def test_a_subgroup_of_too_few_has_no_figures(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    found: Sequence[ReplayedGroup]
    _, found = replayed(captures[:30], {}, other, champion, params())

    least = params().evaluation.min_subgroup_rows
    assert any(one.requests < least for one in found)
    assert all((one.mean_change is None) is (one.requests < least) for one in found)


# ---- What came of them ----


def truth_of(captures: list[Captured], seed: int = 3) -> dict[str, float]:
    noise = np.random.default_rng(seed).normal(0, 0.3, len(captures))
    return {
        one.prediction_id: round(float(np.clip(one.score + off, 0, 10)), 1)
        for one, off in zip(captures, noise, strict=True)
    }


def test_both_are_compared_on_what_came_of_requests(
    captures: list[Captured], champion: Asked, other: Asked
) -> None:
    found = replay(captures, other, champion, truth_of(captures))

    assert len(captures) - 5 < found.outcomes <= len(captures)  # few are as some row was
    assert found.candidate_scores is not None
    assert found.champion_scores is not None
    assert found.rmse_difference is not None
    assert found.rmse_difference_of_two is not None
    assert found.rmse_difference.value == pytest.approx(
        found.candidate_scores.rmse.value - found.champion_scores.rmse.value, abs=2e-6
    )
    assert found.rmse_difference_of_two.low < found.rmse_difference.low > 0  # near the champion's


@pytest.mark.parametrize(("known", "compared"), [(3, False), (29, False), (30, True)])
def test_as_many_outcomes_as_params_ask_for_are_enough(
    captures: list[Captured], champion: Asked, other: Asked, *, known: int, compared: bool
) -> None:
    assert params().gate.min_champion_rows == 30

    found = replay(captures, other, champion, truth_of(captures[:known]))

    assert found.outcomes == known
    assert (found.rmse_difference is not None) is compared
    assert (found.candidate_scores is not None) is (found.champion_scores is not None) is compared


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("trained", ["candidate", "champion"])
def test_a_row_that_either_was_trained_on_is_not_new_even_if_something_was_unknown_then(
    champion: Asked, other: Asked, sample_rows: list[dict[str, Any]], trained: str, *, unknown: bool
) -> None:
    asked = [one | {LATER: None} if unknown else one for one in sample_rows[:200]]
    captures = answered(champion.model, asked, MONDAY)
    outcomes = {
        one.prediction_id: row[TARGET] for one, row in zip(captures, sample_rows, strict=False)
    }
    nothing = Seen(columns=other.seen.columns, digests=())

    of_either = replay(
        captures,
        replace(other, seen=nothing) if trained == "champion" else other,
        replace(champion, seen=nothing) if trained == "candidate" else champion,
        outcomes,
    )

    assert 20 < of_either.outcomes < 70  # the fifth of the rows that was held out
    new = {one: value + 0.1 for one, value in outcomes.items() if value < 9}
    assert replay(captures, other, champion, new).outcomes > 0.8 * len(new)


@pytest.fixture(scope="module")
def sample_rows() -> list[dict[str, Any]]:
    """The patients of data/sample.csv, each of whose combinations is recorded."""
    return patients(1000, 2026)


# ---- Other studies ----


def study_without_roles(made_once: MadeOnce) -> tuple[Asked, Params, list[dict[str, Any]]]:
    decisions = parse_params(
        study(
            {
                "age": {"kind": "whole_number", "min": 18, "max": 90, "nullable": True},
                "dose": {"kind": "level", "values": [0.5, 1, 2]},
                "smoker": {"kind": "yes_no", "nullable": True},
                "gain": {"kind": "number", "min": -20, "max": 40, "decimals": 1},
            },
            {"column": "gain", "decimals": 1, "higher_is": "better", "bands": {"all": -20}},
        )
    )
    draw = np.random.default_rng(5)
    rows = [
        {
            "age": None if row % 6 == 0 else int(draw.integers(18, 91)),
            "dose": [0.5, 1, 2][row % 3],
            "smoker": [True, False, None][row % 7 % 3],
        }
        for row in range(240)
    ]
    written = ["age,dose,smoker,gain"] + [
        ",".join(
            "" if value is None else str(value)
            for value in (*one.values(), round(3 * one["dose"] + float(draw.normal()), 1))  # type: ignore[operator]
        )
        for one in rows
    ]
    trained = made_once(
        "a study without roles", lambda: candidate_on("\n".join(written).encode(), decisions)
    )
    return asked_of(trained, "v-33333333", decisions), decisions, rows


def test_a_study_without_identifier_and_roles_is_replayed(made_once: MadeOnce) -> None:
    asked, decisions, rows = study_without_roles(made_once)
    captures = answered(asked.model, rows, MONDAY)

    found, groups = replayed(captures, truth_in(captures), asked, asked, decisions)

    assert (found.requests, found.mismatches, found.void) == (len(rows), 0, "")
    assert found.outcomes == len(rows)
    assert groups == ()


def truth_in(captures: list[Captured]) -> dict[str, float]:
    """Outcomes that no row has."""
    return {one.prediction_id: 39.9 for one in captures}


def test_a_wide_study_with_gaps_is_replayed(made_once: MadeOnce) -> None:
    decisions = parse_params(studies.WIDE_TEXT)
    drawn = studies.patients(studies.WIDE, studies.TARGET, 240)
    body = studies.as_csv(drawn, studies.of_the_wide, studies.WIDE, studies.TARGET).encode()
    trained = made_once("a wide study", lambda: candidate_on(body, decisions))
    asked = asked_of(trained, "v-44444444", decisions)
    rows = [one | {"ward": None} if place % 2 else one for place, one in enumerate(drawn)]
    captures = answered(asked.model, rows, MONDAY)

    found, groups = replayed(captures, {}, asked, asked, decisions)

    assert (found.requests, found.mismatches) == (len(captures), 0)
    assert found.requests > 200
    assert {one.feature for one in groups} == set(decisions.roles.subgroups)
