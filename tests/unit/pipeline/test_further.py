"""Outcomes that were told since an upload are rows to train on, each once, and the rest is told."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import stage
from clinical.artefacts import Artefact, Artefacts, Bucket
from clinical.boto3_bucket import Boto3Bucket
from clinical.captured import Captured
from clinical.captures import Captures
from clinical.errors import ArtefactCorrupted, DatasetRejected, DatasetUnreadable
from clinical.outcomes import Outcome, Outcomes
from clinical.params import params
from clinical.upload import Upload
from further import further
from monitor.entering import enter
from retrain.stages.ingest import NO_OUTCOMES, ingest
from retrain.stages.validate import validate
from retrain.state import Admitted, Ingested, Validated

from data.generate import as_csv, patients
from tests.pipeline import lines_of, ran
from tests.unit.pipeline.monitor.made import BEGAN, predictions

UPLOADED = BEGAN + timedelta(days=10)
UNTIL = BEGAN + timedelta(days=40)
KEY = "raw/data.csv"

type Put = Callable[..., str]


def of_upload(version_id: str = "1", until: datetime | None = UNTIL) -> Upload:
    return Upload(key=KEY, version_id=version_id, uploaded_at=UPLOADED, outcomes_until=until)


@pytest.fixture
def captured(bucket: Bucket) -> list[Captured]:
    made = predictions(60)
    enter(Captures(bucket), made)
    return made


def outcome(one: str, value: float = 5.5, observed: float = 20, received: float = 21) -> Outcome:
    """An outcome; observed, received: on which day."""
    return Outcome(
        prediction_id=one,
        value=value,
        observed_at=BEGAN + timedelta(days=observed),
        received_at=BEGAN + timedelta(days=received),
        told_by="api",
    )


def tell(bucket: Bucket, *outcomes: Outcome) -> None:
    Outcomes(bucket).receive(outcomes, BEGAN + timedelta(days=50))


def ingested(version_id: str, until: datetime | None = UNTIL) -> Ingested:
    admitted = Admitted(decision="retrain", upload=of_upload(version_id, until), who="ada")
    return Ingested.model_validate(
        ran(ingest, "one", {"admitted": admitted.model_dump(mode="json")})
    )


def validated(of: Ingested) -> Validated:
    return Validated.model_validate(ran(validate, "one", {"ingested": of.model_dump(mode="json")}))


def rows_in(bucket: Bucket, of: Validated) -> list[str]:
    return lines_of(Artefacts(bucket, "").read(of.dataset))[1:]


def test_what_was_told_since_the_upload_and_observed_in_time_is_a_row(
    bucket: Bucket, captured: list[Captured]
) -> None:
    ids = [one.prediction_id for one in captured]
    tell(
        bucket,
        outcome(ids[0]),
        outcome(ids[1], received=9),  # which the upload is taken to hold
        outcome(ids[2], observed=40, received=41),  # which is not before the time
        outcome(ids[3], observed=39.9, received=45),
    )

    found = further(bucket, of_upload(), UNTIL, params())

    assert found.rows == 2
    assert [line.split(",")[0] for line in found.lines] == ["Patient_ID", ids[0], ids[3]]
    assert found.left_out == ()


def test_what_cannot_be_a_row_is_told_and_names_nobody(
    bucket: Bucket, captured: list[Captured]
) -> None:
    unknown = captured[4]
    late = Captured(**{**_as_dict(unknown), "prediction_id": "e" * 32})
    late.features["Side_Effects"] = None
    enter(Captures(bucket), [late])
    tell(
        bucket,
        outcome("f" * 32),  # of a capture that expired, or that is yet to be made
        outcome(late.prediction_id),
        outcome(captured[5].prediction_id, value=11.5),  # the target's range was another one then
        outcome(captured[6].prediction_id, observed=-3),
    )

    found = further(bucket, of_upload(), UNTIL, params())

    assert found.rows == 0
    assert sorted(found.left_out) == [
        "1 outcome left out: no captured prediction has the id.",
        "1 outcome left out: observed before the prediction.",
        "1 row left out: `Improvement_Score` breaks the rule out_of_range in params.yaml.",
        "1 row left out: `Side_Effects` was not known at the time of prediction.",
    ]


def _as_dict(one: Captured) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__} | {"features": dict(one.features)}


def test_of_an_outcome_that_was_revised_the_last_counts_once(
    bucket: Bucket, captured: list[Captured]
) -> None:
    one = captured[0].prediction_id
    tell(bucket, outcome(one, 3.5, observed=5, received=6))
    tell(bucket, outcome(one, 8.5), outcome(one, 8.5))

    found = further(bucket, of_upload(), UNTIL, params())

    assert found.rows == 1
    assert found.lines[1].rstrip().endswith("8.5")


def test_a_run_without_outcomes_reads_none(bucket: Bucket, upload: Put) -> None:
    version = upload(as_csv(patients(60, 3)).encode())
    bucket.put("outcomes/received/x.jsonl", b"altered")

    of = ingested(version, None)

    assert (of.outcomes, of.left_out) == (None, ())
    assert validated(of).outcomes == 0
    with pytest.raises(ArtefactCorrupted):
        ingested(version)


def test_outcomes_come_after_the_rows_of_the_upload(
    bucket: Bucket, upload: Put, captured: list[Captured]
) -> None:
    version = upload(as_csv(patients(60, 3)).encode())
    tell(bucket, *(outcome(one.prediction_id) for one in captured[:7]))

    alone = validated(ingested(version, None))
    before = rows_in(bucket, alone)
    together = validated(ingested(version))
    rows = rows_in(bucket, together)

    assert (alone.rows, alone.outcomes, alone.notes) == (60, 0, ())
    assert (together.rows, together.outcomes) == (67, 7)
    assert together.notes == ("7 rows added: predictions with outcomes reported since the upload.",)
    assert rows[:60] == before
    assert [row.rsplit(",", 1)[1] for row in rows[60:]] == ["5.5"] * 7
    assert not any(one.prediction_id in row for one in captured for row in rows)


def test_without_a_usable_outcome_it_trains_on_the_upload_alone_and_says_so(
    bucket: Bucket, upload: Put, captured: list[Captured]
) -> None:
    version = upload(as_csv(patients(60, 3)).encode())
    tell(bucket, outcome("f" * 32))
    assert captured

    of = ingested(version)

    assert of.outcomes is None
    assert validated(of).rows == 60
    assert validated(of).notes == (
        "1 outcome left out: no captured prediction has the id.",
        NO_OUTCOMES,
    )


def test_an_upload_with_other_leniencies_is_read_as_it_is_and_the_outcomes_as_they_are(
    bucket: Bucket, upload: Put, captured: list[Captured]
) -> None:
    text = as_csv(patients(60, 3))
    version = upload(text.replace(".", "!").replace(",", ";").replace("!", ",").encode())
    tell(bucket, outcome(captured[0].prediction_id, 3.5))

    came_to = validated(ingested(version))

    assert "Decimal commas read as decimal points." in came_to.notes
    assert came_to.rows == 61
    upload(text.encode(), key="raw/plain.csv")
    plain = validated(ingested(upload(text.encode())))
    assert came_to.dataset.sha256 == plain.dataset.sha256


def test_a_row_of_the_upload_that_is_an_earlier_outcome_is_replaced(
    bucket: Bucket, upload: Put, captured: list[Captured]
) -> None:
    """`make outcomes OUT=` names rows by their prediction."""
    again = captured[0].prediction_id
    text = as_csv(patients(60, 3))
    first = text.splitlines()[1].split(",")[0]
    version = upload(text.replace(first, again, 1).encode())
    tell(bucket, outcome(again, 2.5), outcome(captured[1].prediction_id))

    came_to = validated(ingested(version))

    assert (came_to.rows, came_to.outcomes) == (61, 2)
    assert came_to.notes[-1] == (
        "1 row of the upload replaced by a newer outcome with the same `Patient_ID`."
    )


def test_a_study_that_names_no_patients_takes_outcomes_too(
    bucket: Bucket, upload: Put, captured: list[Captured], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {name: one for name, one in params().columns.items() if name != params().identifier}
    nameless = params().model_copy(update={"columns": columns})
    monkeypatch.setattr(stage, "params", lambda: nameless)
    assert nameless.identifier is None
    lines = as_csv(patients(60, 3)).splitlines()
    version = upload("\n".join(line.split(",", 1)[1] for line in lines).encode())
    tell(bucket, outcome(captured[0].prediction_id))

    assert validated(ingested(version)).rows == 61


def test_rows_of_both_files_together_are_enough(
    bucket: Bucket, upload: Put, captured: list[Captured], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = params().dataset.model_copy(update={"min_rows": 65})
    monkeypatch.setattr(stage, "params", lambda: params().model_copy(update={"dataset": more}))
    version = upload(as_csv(patients(60, 3)).encode())
    tell(bucket, *(outcome(one.prediction_id) for one in captured[:5]))

    assert validated(ingested(version)).rows == 65
    with pytest.raises(DatasetRejected, match="too_few_rows"):
        validated(ingested(version, None))


def test_outcomes_that_break_the_contract_are_not_swallowed(
    bucket: Bucket, upload: Put, captured: list[Captured]
) -> None:
    """Which cannot be: they were held to it when they were joined."""
    version = upload(as_csv(patients(60, 3)).encode())
    tell(bucket, outcome(captured[0].prediction_id))
    of = ingested(version)
    assert of.outcomes
    body = (
        Artefacts(bucket, "")
        .read(of.outcomes)
        .replace(b"Female", b"Femal")
        .replace(b",Male", b",Mal")
    )
    altered = Artefacts(bucket, "runs/one/ingest").write("other.csv", body)

    with pytest.raises(DatasetRejected, match="not in the upload") as refused:
        validated(of.model_copy(update={"outcomes": altered}))

    assert "unknown_value" in str(refused.value)


def test_more_than_a_stage_can_take_is_refused_before_it_is_written(
    bucket: Boto3Bucket,
    upload: Put,
    captured: list[Captured],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = as_csv(patients(60, 3)).encode()
    version = upload(body)
    tell(bucket, outcome(captured[0].prediction_id))
    less = params().dataset.model_copy(update={"max_bytes": len(body) + 10})
    monkeypatch.setattr(stage, "params", lambda: params().model_copy(update={"dataset": less}))

    with pytest.raises(DatasetUnreadable, match="and its outcomes"):
        ingested(version)


def test_the_artefact_of_outcomes_is_what_the_cache_goes_by(
    bucket: Bucket, upload: Put, captured: list[Captured]
) -> None:
    version = upload(as_csv(patients(60, 3)).encode())
    tell(bucket, outcome(captured[0].prediction_id))
    first = validated(ingested(version))
    tell(bucket, outcome(captured[1].prediction_id))

    second = validated(ingested(version))

    assert (first.rows, second.rows) == (61, 62)
    assert isinstance(second.dataset, Artefact)
