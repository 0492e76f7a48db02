"""What a simulation draws, and how it is dated; it lives through it in tests/integration."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from clinical.monitored import Retrained
from clinical.params import params
from clinical.upload import Upload
from rich.console import Console

from data import generate, shifts
from data.shifts import DOUBLED, SHIFTS, YOUNGEST
from local import simulating
from local.cloud import CloudFailed
from local.simulating import PER_DAY, Day, Simulated
from local.studies import study_of
from tests import monitored

END = datetime(2026, 11, 26, tzinfo=UTC)
DAYS = 40


def drawn(shift: str, at: int = 1) -> list[Day]:
    return list(simulating.days_of(DAYS, SHIFTS[shift], at, END))


def patients(shift: str, at: int = 1) -> list[dict[str, Any]]:
    return [patient for day in drawn(shift, at) for patient in day.patients]


def test_the_days_follow_each_other_up_to_yesterday_and_have_so_many_patients_each() -> None:
    days = drawn("none")

    assert [day.date for day in days] == [END - timedelta(days=DAYS - n) for n in range(DAYS)]
    assert {len(day.patients) for day in days} == {PER_DAY}


def test_the_same_is_drawn_again() -> None:
    assert drawn("doubled_drug") == drawn("doubled_drug")


@pytest.mark.parametrize("shift", SHIFTS)
def test_nothing_is_other_before_the_day_that_was_named(shift: str) -> None:
    before, usual = drawn(shift, at=11)[:10], drawn("none", at=11)[:10]

    assert [day.patients for day in before] == [day.patients for day in usual]
    assert not any(day.shifted for day in before)


def test_twice_as_many_get_the_drug() -> None:
    usual, doubled = (
        Counter(one["Drug_Name"] for one in patients(shift)) for shift in ("none", "doubled_drug")
    )

    assert usual[DOUBLED] / usual.total() == pytest.approx(1 / 15, abs=0.015)
    assert doubled[DOUBLED] / doubled.total() == pytest.approx(2 / 15, abs=0.02)


def test_the_youngest_stay_away_where_patients_are_older() -> None:
    assert min(one["Age"] for one in patients("none")) == min(generate.AGES)
    assert min(one["Age"] for one in patients("older")) == YOUNGEST


def came(shift: str) -> list[float]:
    """What comes of patients, less what the truth says without noise and before it is clipped."""
    draw = Random(1)  # noqa: S311 - no secret
    left = []
    for one in patients(shift):
        treats = list(generate.TREATMENTS[one["Condition"]])
        truth = (
            6
            + generate.CONDITION_EFFECTS[one["Condition"]]
            + generate.DRUG_EFFECTS[treats.index(one["Drug_Name"])]
            + 0.3 * (generate.DOSAGES.index(one["Dosage_mg"]) - 2)
            + (one["Treatment_Duration_days"] - 32) / 27
        )
        if 2 < truth < 8:
            left.append(simulating.outcome_of(one, SHIFTS[shift], draw) - truth)
    return left


def spread(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return float((sum((one - mean) ** 2 for one in values) / len(values)) ** 0.5)


def test_outcomes_vary_as_they_are_said_to() -> None:
    assert spread(came("none")) == pytest.approx(generate.NOISE, abs=0.04)
    assert spread(came("noisier")) == pytest.approx(shifts.NOISIER, abs=0.06)


def test_the_best_drug_is_the_worst_where_effects_are_reversed() -> None:
    by_drug: dict[str, list[float]] = {}
    draw = Random(1)  # noqa: S311 - no secret
    for one in patients("reversed_effects"):
        if one["Condition"] == "Hypertension":
            outcome = simulating.outcome_of(one, SHIFTS["reversed_effects"], draw)
            by_drug.setdefault(one["Drug_Name"], []).append(outcome)

    means = {drug: sum(values) / len(values) for drug, values in by_drug.items()}
    assert means["Amlodipine"] > means["Losartan"] > means["Metoprolol"]


def test_what_comes_of_a_patient_is_of_the_range() -> None:
    low, high = params().scale
    draw = Random(1)  # noqa: S311 - no secret

    outcomes = {simulating.outcome_of(one, SHIFTS["noisier"], draw) for one in patients("noisier")}

    assert low <= min(outcomes) <= max(outcomes) <= high


def test_half_of_the_requests_leave_out_what_is_not_known_before() -> None:
    requests = [
        simulating.request_of(one, number) for number, one in enumerate(patients("none")[:PER_DAY])
    ]

    later, target = params().roles.known_after_treatment[0], params().target.column
    assert sum(later in one for one in requests) == PER_DAY // 2
    assert not any(target in one for one in requests)


def test_log_lines_are_dated_back_and_are_otherwise_as_they_were() -> None:
    lines = ['{"_aws": {"Timestamp": 1, "CloudWatchMetrics": []}, "a": 1}', '{"route": "b"}']

    dated = list(simulating.dated(lines, 1_000_000))

    assert [when for when, _ in dated] == [1_000_000, 1_000_000]
    assert [json.loads(line) for _, line in dated] == [
        {"_aws": {"Timestamp": 1_000_000, "CloudWatchMetrics": []}, "a": 1},
        {"route": "b"},
    ]


@pytest.mark.parametrize("days", [3, 35, 36, 60, 90])
def test_the_monitor_looks_at_the_last_weeks_daily_and_before_weekly(days: int) -> None:
    looked_at = [number for number in range(1, days + 1) if simulating.is_looked_at(number, days)]

    daily = [number for number in looked_at if number > days - simulating.DAILY]
    assert daily == list(range(max(1, days - simulating.DAILY + 1), days + 1))
    weekly = looked_at[: -len(daily)]
    assert all(after - before == 7 for before, after in pairwise(weekly))
    assert len(weekly) == (days - len(daily)) // 7


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"shift": "worse"}, "SHIFT=worse is unknown; use one of none, doubled_drug, older"),
        ({"days": 0}, "a number from 1 to"),
        ({"at": 61}, "AT=61 is not one of the days from 1 to 60"),
        ({"study": "diabetes"}, "diabetes cannot be simulated"),
    ],
)
def test_what_cannot_be_simulated_is_told_before_anything_is_done(
    asked: dict[str, Any], says: str
) -> None:
    stack: Any = SimpleNamespace(study=study_of(asked.get("study", "")))

    with pytest.raises(CloudFailed) as refused:
        simulating.check(
            stack, asked.get("days", 60), asked.get("shift", "none"), asked.get("at", 30)
        )

    assert says in str(refused.value)


def test_the_end_says_which_alarm_went_off_first_when_and_why() -> None:
    seen = [
        Simulated(day, monitored.nothing() if day.number < 20 else monitored.troubled(), ())
        for day in drawn("doubled_drug", at=11)
    ]
    calm = [Simulated(one.day, monitored.nothing(), ()) for one in seen]

    troubled_says, calm_says = (concluded(some) for some in (seen, calm))

    first = "first went off on day 20 (2026-11-05), 9 days after the change"
    assert f"The alarm Drifted {first}" in troubled_says
    assert "in 21 of 40 runs in total. Requests are not like" in troubled_says
    assert f"The alarm Degraded {first}" in troubled_says
    assert calm_says == "The alarm Drifted did not go off.\nThe alarm Degraded did not go off.\n"


def test_the_end_says_when_the_model_was_made_anew() -> None:
    (day, *_) = drawn("doubled_drug", at=11)
    started = Retrained(execution="drift-2026-11-05", says="Retraining as drift-2026-11-05.")
    run = monitored.troubled().model_copy(update={"retraining": started})
    not_now = run.model_copy(update={"retraining": Retrained(says="Nothing more is retrained.")})

    said = concluded([Simulated(day, run, ()), Simulated(day, not_now, ())])

    assert f"Day {day.number}: Retraining as drift-2026-11-05." in said
    assert "Nothing more" not in said


def test_what_learned_from_outcomes_too_is_of_no_known_truth() -> None:
    upload = Upload(key="raw/sample.csv", version_id="1", uploaded_at=END, outcomes_until=END)
    nobody: Any = None
    champion: Any = SimpleNamespace(upload=upload)

    assert not simulating.learned_from_the_sample(nobody, champion)


def concluded(seen: list[Simulated]) -> str:
    console = Console(width=300, no_color=True)
    with console.capture() as captured:
        simulating.conclude(seen, "doubled_drug", 11, console)
    return captured.get()
