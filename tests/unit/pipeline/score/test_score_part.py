import json

import pytest
from clinical.artefacts import sha256
from clinical.errors import DatasetUnreadable
from score import formats
from score.captured import captured_in
from score.keys import counts_key, part_key, predictions_key
from score.marker import Marker
from score.stages.score_part import score_part
from score.stages.split import split

from tests.pipeline import State, ran
from tests.unit.conftest import NOW, Candidate
from tests.unit.pipeline.score.conftest import Desk, cells_of, seed_in

MARKER = Marker(
    execution="captured",
    scored_at=NOW,
    model_version="v-00000000",
    coverage=0.9,
    parts=(),
)


def planned(desk: Desk, body: bytes, execution: str) -> State:
    source = desk.put(body, f"{execution}.csv")
    return ran(split, execution, {"given": {"score": source.model_dump()}})


def part_of(came_to: State, number: int) -> State:
    return {"plan": came_to["plan"], "part": came_to["parts"][number]}


def test_a_part_is_written_with_its_counts(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "PIECE", 400)
    came_to = planned(desk, text.replace("Male", "x").encode(), "part")

    scored = ran(score_part, "part", part_of(came_to, 1))

    body = desk.raw.get(part_key("part", 1, "csv")).body
    rows = cells_of(body)
    refused = sum(row[-1] != "" for row in rows)
    assert scored == {
        "number": 1,
        "rows": len(rows),
        "scored": len(rows) - refused,
        "refused": refused,
    }
    counts = json.loads(desk.artefacts.get(counts_key("part", 1)).body)
    assert counts["written"] == {
        "key": "score/out/part/part-00001.csv",
        "rows": len(rows),
        "bytes": len(body),
        "sha256": sha256(body),
    }
    assert counts["problems"][0]["first_rows"][0] >= came_to["parts"][1]["first_row"]


def test_a_part_that_is_written_twice_is_the_same_bytes(desk: Desk, text: str) -> None:
    came_to = planned(desk, text.encode(), "same")

    twice = []
    for _ in range(2):
        ran(score_part, "same", part_of(came_to, 0))
        left = (
            desk.raw.get(part_key("same", 0, "csv")),
            desk.artefacts.get(counts_key("same", 0)),
            desk.artefacts.get(predictions_key("same", 0)),
        )
        twice.append([one.body for one in left])
        ran(split, "same", {"given": {"score": came_to["plan"]["source"]}})  # draws nothing anew

    assert twice[0] == twice[1]


def test_what_was_predicted_lies_beside_the_counts(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "PIECE", 400)
    came_to = planned(desk, text.replace("Male", "x").encode(), "captured")

    for number in (0, 1):
        ran(score_part, "captured", part_of(came_to, number))

    for number in (0, 1):
        rows = cells_of(desk.raw.get(part_key("captured", number, "csv")).body)
        ids = [row[8] for row in rows if row[8] and row[8] != "prediction_id"]
        body = desk.artefacts.get(predictions_key("captured", number)).body
        counts = json.loads(desk.artefacts.get(counts_key("captured", number)).body)
        assert counts["predictions"] == {
            "key": f"captures/scored/captured/{number:05}.npz",
            "sha256": sha256(body),
            "number": number,
            "predictions": len(ids),
        }
        assert [one.prediction_id for one in captured_in(body, MARKER)] == ids
        assert 0 < len(ids) == counts["scored"] < counts["rows"]
        assert b"S00" not in body


def test_a_part_without_a_score_leaves_no_predictions(desk: Desk, text: str) -> None:
    wrong = text.replace("Male", "x").replace("Female", "x").replace("Fex", "x")
    came_to = planned(desk, wrong.encode(), "refused")

    ran(score_part, "refused", part_of(came_to, 0))

    assert json.loads(desk.artefacts.get(counts_key("refused", 0)).body)["predictions"] is None
    assert desk.artefacts.keys("captures/scored/refused/", "") == []


def test_two_executions_name_the_same_rows_otherwise(desk: Desk, text: str) -> None:
    ids = []
    for execution in ("once", "again"):
        came_to = planned(desk, text.encode(), execution)
        ran(score_part, execution, part_of(came_to, 0))
        rows = cells_of(desk.raw.get(part_key(execution, 0, "csv")).body)
        ids += [row[8] for row in rows[1:]]

    assert len(set(ids)) == len(ids) == 24


def test_parts_are_scored_by_the_champion_of_the_split(
    own_desk: Desk, text: str, challenger: Candidate
) -> None:
    came_to = planned(own_desk, text.encode(), "replaced")
    before = own_desk.answered(text.encode(), seed=seed_in(own_desk, came_to)).body

    own_desk.promote(challenger)
    ran(score_part, "replaced", part_of(came_to, 0))

    assert own_desk.raw.get(part_key("replaced", 0, "csv")).body == before


def test_a_file_that_was_deleted_meanwhile_is_named(desk: Desk, text: str) -> None:
    came_to = planned(desk, text.encode(), "deleted")
    source = came_to["plan"]["source"]
    desk.raw.client.delete_object(Bucket="raw", Key=source["key"], VersionId=source["version_id"])

    with pytest.raises(DatasetUnreadable, match=r"score/in/deleted\.csv was deleted while it was"):
        ran(score_part, "deleted", part_of(came_to, 0))


def test_a_newer_version_of_the_file_changes_nothing(desk: Desk, text: str) -> None:
    came_to = planned(desk, text.encode(), "newer")
    desk.put(b"something else", "newer.csv")

    ran(score_part, "newer", part_of(came_to, 0))

    expected = desk.answered(text.encode(), seed=seed_in(desk, came_to)).body
    assert desk.raw.get(part_key("newer", 0, "csv")).body == expected


def test_what_was_not_planned_is_not_scored(desk: Desk, text: str) -> None:
    came_to = planned(desk, text.encode(), "unplanned")
    came_to["plan"]["details"] = None

    with pytest.raises(DatasetUnreadable, match="there is no file to score"):
        ran(score_part, "unplanned", part_of(came_to, 0))
