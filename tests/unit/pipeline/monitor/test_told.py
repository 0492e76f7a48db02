"""Files of outcomes are read as people write them, each version once; refused rows are told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from clinical.boto3_bucket import Boto3Bucket
from clinical.captures import Captures
from clinical.outcomes import Outcomes
from clinical.params import params
from lineage import Lineage
from monitor.entering import enter
from monitor.told import TakenIn, take_in
from stage import RawBucket, Run

from tests.predictions import predictions
from tests.unit.pipeline.monitor.clouds import Killed, MortalBucket

NOW = datetime.now(UTC)
YESTERDAY = (NOW - timedelta(days=1)).date().isoformat()
HEADER = "prediction_id,Improvement_Score,observed_at"
ONE, TWO, THREE = (digit * 32 for digit in "1ab")  # the same in each process

type Take = Callable[..., TakenIn]
type Upload = Callable[..., str]


@pytest.fixture
def take(bucket: Boto3Bucket) -> Take:
    def of(mortal: MortalBucket | None = None) -> TakenIn:
        raw = RawBucket(Boto3Bucket(bucket.client, "raw"))
        run = Run("execution-1", NOW, Lineage(bucket, "execution-1"))
        artefacts = mortal or bucket
        return take_in(raw, Outcomes(artefacts), Captures(artefacts), run, params())

    return of


@pytest.fixture
def told(upload: Upload) -> Callable[..., str]:
    """Upload a file of outcomes: its lines, or its bytes."""

    def of(*lines: str, key: str = "outcomes/new.csv", body: bytes = b"") -> str:
        return upload(body or "\n".join([HEADER, *lines, ""]).encode(), key)

    return of


def values(bucket: Boto3Bucket) -> dict[str, float]:
    return {one: outcome.value for one, outcome in Outcomes(bucket).all().items()}


def test_outcomes_of_a_file_are_taken_in(take: Take, told: Upload, bucket: Boto3Bucket) -> None:
    told(f"{ONE},6.5,{YESTERDAY}", f"{TWO.upper()},7.256,{YESTERDAY}T12:30Z")

    came = take()

    assert (came.taken, came.refused) == (2, 0)
    assert came.notes == (
        "outcomes/new.csv: 1 cell of `Improvement_Score` rounded to the column's decimals.",
    )
    kept = Outcomes(bucket).all()
    assert (kept[ONE].value, kept[TWO].value) == (6.5, 7.26)
    assert kept[ONE].told_by == "outcomes/new.csv"
    assert kept[TWO].observed_at.isoformat() == f"{YESTERDAY}T12:30:00+00:00"


def test_nothing_to_take_in_is_no_failure(take: Take) -> None:
    assert take() == TakenIn()


def test_each_version_of_a_file_is_taken_in_once(
    take: Take, told: Upload, bucket: Boto3Bucket
) -> None:
    told(f"{ONE},6.5,{YESTERDAY}")
    first = take()
    told(f"{TWO},7,{YESTERDAY}")
    told(f"{THREE},8,{YESTERDAY}")

    counts = [first.taken, take().taken, take().taken]

    assert counts == [1, 2, 0]
    assert values(bucket) == {ONE: 6.5, TWO: 7.0, THREE: 8.0}


def test_what_was_deleted_before_is_not_taken_in(
    take: Take, told: Upload, bucket: Boto3Bucket
) -> None:
    told(f"{ONE},6.5,{YESTERDAY}")
    bucket.client.delete_object(Bucket="raw", Key="outcomes/new.csv")

    assert take() == TakenIn()
    assert values(bucket) == {}


def test_files_elsewhere_and_folders_are_no_outcomes(take: Take, told: Upload) -> None:
    told(f"{ONE},6.5,{YESTERDAY}", key="raw/outcomes.csv")
    told(key="outcomes/", body=b"\n")

    assert take() == TakenIn()


def test_a_file_is_read_as_people_write_it(take: Take, told: Upload, bucket: Boto3Bucket) -> None:
    text = (
        "sep=;\r\n"
        "Name;Observed At;improvement score;PREDICTION-ID\r\n"
        f'Müller;{YESTERDAY};"6,5"; {ONE} \r\n'
        ";;;\r\n"
        f"Парацетамол;{YESTERDAY};7,25;{TWO}\r\n"
    )
    told(body=b"\xff\xfe" + text.encode("utf-16-le"))

    came = take()

    assert values(bucket) == {ONE: 6.5, TWO: 7.25}
    assert came.refused == 0
    said = " ".join(came.notes)
    for part in ("UTF-16", "semicolon", "Decimal commas", "1 column ignored", "1 empty row"):
        assert part in said
    assert "Müller" not in said


def test_rows_without_an_outcome_are_passed_over(
    take: Take, told: Upload, bucket: Boto3Bucket
) -> None:
    told(f"{ONE},,", f"{TWO},NA,{YESTERDAY}", f"{THREE},5,{YESTERDAY}")

    came = take()

    assert (came.taken, came.refused) == (1, 0)
    assert "outcomes/new.csv: 2 rows without an outcome ignored." in came.notes
    assert values(bucket) == {THREE: 5.0}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"{ONE[:-1]},5,{YESTERDAY}", "`prediction_id` is not 32 hexadecimal digits"),
        (f"1.23457E+31,5,{YESTERDAY}", "`prediction_id` is not 32 hexadecimal digits"),
        (
            "\N{FULLWIDTH DIGIT ONE}" * 32 + f",5,{YESTERDAY}",
            "`prediction_id` is not 32 hexadecimal digits",
        ),
        (f",5,{YESTERDAY}", "`prediction_id` is empty"),
        (f"{ONE},10.01,{YESTERDAY}", "`Improvement_Score` is out of range"),
        (f"{ONE},-1,{YESTERDAY}", "`Improvement_Score` is out of range"),
        (f"{ONE},high,{YESTERDAY}", "`Improvement_Score` is not a number"),
        (f"{ONE},inf,{YESTERDAY}", "`Improvement_Score` is not a number"),
        (f"{ONE},{'9' * 400},{YESTERDAY}", "`Improvement_Score` is out of range"),
        (f"{ONE},\N{ARABIC-INDIC DIGIT FIVE},{YESTERDAY}", "`Improvement_Score` is not a number"),
        (f'{ONE},"6,5",{YESTERDAY}', "`Improvement_Score` is not a number"),
        (f"{ONE},5,", "`observed_at` is empty"),
        (f"{ONE},5,24.12.2025", "`observed_at` is not a day"),
        (f"{ONE},5,12/24/2025", "`observed_at` is not a day"),
        (f"{ONE},5,2026-02-30", "`observed_at` is not a day"),
        (f"{ONE},5,9999-12-31", "`observed_at` is after the upload of the file"),
        (f"{ONE},5", "more or fewer cells than the header"),
        (f"{ONE},5,{YESTERDAY},more", "more or fewer cells than the header"),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_for_itself(
    take: Take, told: Upload, bucket: Boto3Bucket, row: str, said: str
) -> None:
    told(f"{TWO},5,{YESTERDAY}", row)

    came = take()

    assert (came.taken, came.refused) == (1, 1)
    assert values(bucket) == {TWO: 5.0}
    (note,) = (note for note in came.notes if "refused" in note)
    assert note.startswith(f"outcomes/new.csv: 1 row refused: {said}")
    assert note.endswith(", in row 3.")


def test_of_many_refused_rows_the_first_are_named(take: Take, told: Upload) -> None:
    told(*(f"{ONE},secret,{YESTERDAY}" for _ in range(30)))

    (note,) = take().notes

    assert note == (
        "outcomes/new.csv: 30 rows refused: `Improvement_Score` is not a number, first in rows 2, "
        "3, 4, 5, 6, 7, 8, 9, 10 and 11."
    )


def test_an_outcome_before_its_prediction_is_refused(
    take: Take, told: Upload, bucket: Boto3Bucket
) -> None:
    made = predictions(2, NOW - timedelta(days=2), 60)
    enter(Captures(bucket), made)
    early = (made[0].predicted_at.date() - timedelta(days=1)).isoformat()
    told(f"{made[0].prediction_id},5,{early}", f"{made[1].prediction_id},5,{YESTERDAY}")

    came = take()

    assert (came.taken, came.refused) == (1, 1)
    assert "`observed_at` is before the day (UTC) of the prediction, in row 2" in came.notes[0]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_rows_about_one_prediction_the_later_one_counts(
    take: Take, told: Upload, bucket: Boto3Bucket, *, turned: bool
) -> None:
    rows = [f"{ONE},5,{YESTERDAY}", f"{ONE},7,{YESTERDAY}T12:00"]
    told(*(rows[::-1] if turned else rows))

    came = take()

    assert values(bucket) == {ONE: 7.0}
    assert came.taken == 1
    assert "1 row not kept: another row has an outcome of the same" in came.notes[-1]


def test_what_became_of_earlier_outcomes_is_told(
    take: Take, told: Upload, bucket: Boto3Bucket
) -> None:
    told(*(f"{one},5,{YESTERDAY}T12:00" for one in (ONE, TWO, THREE)))
    take()
    told(f"{ONE},5,{YESTERDAY}T12:00", f"{TWO},6,{YESTERDAY}T13:00", f"{THREE},6,{YESTERDAY}")

    came = take()

    assert came.taken == 2
    assert values(bucket) == {ONE: 5.0, TWO: 6.0, THREE: 5.0}
    assert came.notes == (
        "outcomes/new.csv: 1 outcome already recorded; nothing changed.",
        "outcomes/new.csv: 1 outcome recorded in place of an earlier one.",
        "outcomes/new.csv: 1 outcome kept, but another one that was observed later counts.",
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (f"{HEADER}\n".encode(), "is empty: there are no rows below the header"),
        (b"PK\x03\x04xl/workbook.xml", "is an Excel workbook: save it as CSV UTF-8"),
        (f"{ONE},5,{YESTERDAY}\n".encode(), "has no header"),
        (
            f"prediction_id,observed_at\n{ONE},{YESTERDAY}\n".encode(),
            "`Improvement_Score` is missing",
        ),
        (
            f"{HEADER},observed_at\n{ONE},5,{YESTERDAY},{YESTERDAY}\n".encode(),
            "`observed_at` is in the header more than once",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_is_not_tried_again(
    take: Take, told: Upload, body: bytes, said: str
) -> None:
    told(body=body, key="outcomes/of May.xlsx")

    came = take()

    assert came.taken == 0
    (note,) = came.notes
    assert note.startswith("outcomes/of May.xlsx ")
    assert said in note
    assert take() == TakenIn()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("writes", range(5))
def test_a_run_that_was_killed_takes_in_the_same(
    take: Take, told: Upload, bucket: Boto3Bucket, writes: int, *, after: bool
) -> None:
    told(f"{ONE},6.5,{YESTERDAY}", f"{TWO},7,{YESTERDAY}", key="outcomes/a.csv")
    told(f"{THREE},8,{YESTERDAY}", key="outcomes/b.csv")

    try:
        take(MortalBucket(bucket, writes, after=after))
        died = False
    except Killed:
        died = True
    take()

    assert died or writes >= 3
    assert values(bucket) == {ONE: 6.5, TWO: 7.0, THREE: 8.0}
    assert len(bucket.keys("outcomes/received/", "")) == 2
    assert take() == TakenIn()
