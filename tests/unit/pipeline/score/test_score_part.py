import json

import pytest
from clinical.artefacts import sha256
from clinical.errors import DatasetUnreadable
from score import formats
from score.keys import counts_key, part_key
from score.stages.score_part import score_part
from score.stages.split import split

from tests.pipeline import State, ran
from tests.unit.conftest import Candidate
from tests.unit.pipeline.score.conftest import Desk, cells_of


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
        keys = (desk.raw.get(part_key("same", 0, "csv")), desk.artefacts.get(counts_key("same", 0)))
        twice.append([one.body for one in keys])

    assert twice[0] == twice[1]


def test_parts_are_scored_by_the_champion_of_the_split(
    own_desk: Desk, text: str, challenger: Candidate
) -> None:
    came_to = planned(own_desk, text.encode(), "replaced")
    before = own_desk.answered(text.encode()).body

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

    assert desk.raw.get(part_key("newer", 0, "csv")).body == desk.answered(text.encode()).body


def test_what_was_not_planned_is_not_scored(desk: Desk, text: str) -> None:
    came_to = planned(desk, text.encode(), "unplanned")
    came_to["plan"]["details"] = None

    with pytest.raises(DatasetUnreadable, match="nothing was planned to be scored"):
        ran(score_part, "unplanned", part_of(came_to, 0))
