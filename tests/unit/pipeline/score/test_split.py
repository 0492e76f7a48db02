import json
from typing import Any

import pytest
import stage
from clinical.errors import DatasetRejected, DatasetUnreadable, InputInvalid, ModelUnavailable
from clinical.params import params
from score import formats
from score.stages.split import added, split

from tests.pipeline import State, ran
from tests.unit.conftest import Candidate, with_column
from tests.unit.pipeline.score.conftest import Desk


def divided(desk: Desk, body: bytes, name: str = "split.csv") -> State:
    source = desk.put(body, name)
    desk.number += 1
    return ran(split, f"split-{desk.number}", {"given": {"score": source.model_dump()}})


def details(desk: Desk, came_to: State) -> Any:
    return json.loads(desk.artefacts.get(came_to["plan"]["details"]["key"]).body)


def event(desk: Desk, body: bytes, name: str) -> State:
    source = desk.put(body, name)
    return {"score": source.model_dump(), "event": {"id": "e", "sequencer": "0A"}}


def test_a_file_is_divided_and_what_parts_need_is_left_in_the_artefacts(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "PIECE", 300)

    came_to = divided(desk, text.encode())

    assert came_to["plan"]["decision"] == "score"
    assert [part["number"] for part in came_to["parts"]] == list(range(len(came_to["parts"])))
    assert len(came_to["parts"]) > 2
    read = details(desk, came_to)
    assert read["input"]["bytes"] == len(text)
    assert read["input"]["format"] == "csv"
    assert read["champion"]["version"] == desk.champion.version
    assert len(json.dumps(came_to["parts"])) < 100 * len(came_to["parts"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "score is missing."),
        ({"score": "raw/data.csv"}, "score is not a file under score/in/."),
        ({"score": "score/in/nothing.csv"}, "score refers to a file that does not exist: "),
        (
            {"score": {"key": "score/in/nothing.csv", "version_id": "v"}},
            "score refers to a file that does not exist: ",
        ),
    ],
)
def test_an_input_that_names_no_file_is_refused(desk: Desk, given: State, said: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        ran(split, "invalid", {"given": given})

    assert str(refused.value).startswith(said)


def test_a_version_that_never_was_is_refused(desk: Desk, text: str) -> None:
    source = desk.put(text.encode())

    with pytest.raises(InputInvalid, match="refers to a file that does not exist"):
        ran(split, "invalid", {"given": {"score": {"key": source.key, "version_id": "never"}}})


def test_an_empty_object_is_no_file_to_score(desk: Desk) -> None:
    with pytest.raises(DatasetUnreadable, match=r"split\.csv is empty: it needs a header"):
        divided(desk, b"")


# ---- Events ----


def test_an_event_that_comes_twice_is_handled_once(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = event(desk, text.encode(), "twice.csv")
    first = ran(split, "first", {"given": given})
    monkeypatch.setattr("score.stages.split.format_of", lambda _: pytest.fail("was read"))

    second = ran(split, "second", {"given": given})

    assert first["plan"]["decision"] == "score"
    assert second["plan"]["decision"] == "already_handled"
    assert second["plan"]["reason"].startswith(
        "The execution first has been handling this version of score/"
    )
    assert (second["plan"]["details"], second["parts"]) == (None, [])
    assert desk.raw.keys("score/out/second/", "") == []


def test_a_stage_that_is_tried_again_is_not_taken_for_another_event(desk: Desk, text: str) -> None:
    given = event(desk, text.encode(), "again.csv")

    twice = [ran(split, "tried", {"given": given}) for _ in range(2)]

    assert twice[0] == twice[1]
    assert twice[0]["plan"]["decision"] == "score"


def test_by_hand_a_file_is_scored_as_often_as_is_asked(desk: Desk, text: str) -> None:
    given = event(desk, text.encode(), "by-hand.csv")
    ran(split, "by-event", {"given": given})

    by_hand = ran(split, "by-hand", {"given": {"score": given["score"]}})
    late = ran(split, "late-event", {"given": given})

    assert by_hand["plan"]["decision"] == "score"
    assert "The execution by-hand has been handling" in late["plan"]["reason"]


def test_a_key_alone_is_the_newest_version(desk: Desk, text: str) -> None:
    desk.put(b"old", "newest.csv")
    newest = desk.put(text.encode(), "newest.csv")

    came_to = ran(split, "newest", {"given": {"score": "score/in/newest.csv"}})

    assert came_to["plan"]["source"] == newest.model_dump()


# ---- Models ----


def test_without_a_champion_nothing_is_scored(own_desk: Desk, text: str) -> None:
    for key in own_desk.artefacts.keys("models/", ""):
        own_desk.artefacts.client.delete_object(Bucket="artifacts", Key=key)

    with pytest.raises(
        ModelUnavailable, match=r"^No model has been promoted yet; start the retrain"
    ):
        divided(own_desk, text.encode())


def test_a_champion_of_another_contract_scores_nothing(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = with_column(params(), "Age", max=99)
    monkeypatch.setattr(stage, "params", lambda: others)

    with pytest.raises(ModelUnavailable) as refused:
        divided(desk, text.encode())

    assert str(refused.value) == (
        f"{desk.champion.version} cannot score: the model was trained under a different data "
        "contract from the one now in force; train a new model."
    )


def test_the_champion_of_the_moment_is_what_all_parts_are_scored_by(
    own_desk: Desk, text: str, challenger: Candidate
) -> None:
    came_to = divided(own_desk, text.encode())
    promoted = own_desk.promote(challenger)

    later = divided(own_desk, text.encode())

    assert details(own_desk, came_to)["champion"]["version"] == own_desk.champion.version
    assert details(own_desk, later)["champion"]["version"] == promoted.version
    assert promoted.version != own_desk.champion.version


# ---- Headers ----


def rejected(desk: Desk, body: str) -> Any:
    with pytest.raises(DatasetRejected) as refused:
        divided(desk, body.encode())
    report = json.loads(str(refused.value))
    assert json.loads(desk.artefacts.get(report["report"]["key"]).body) == {
        name: report[name] for name in ("rows", "violations", "notes")
    }
    return [(one["rule"], one["column"], one["count"]) for one in report["violations"]]


def test_columns_that_every_request_has_must_be_there(desk: Desk, text: str) -> None:
    renamed = text.replace("Age", "Years").replace("Patient_ID", "Who")

    assert rejected(desk, renamed) == [
        ("column_missing", "Patient_ID", 1),
        ("column_missing", "Age", 1),
    ]


def test_columns_may_be_there_once(desk: Desk, lines: list[str]) -> None:
    rows = [f"{lines[0]},Age,Side_Effects", *(f"{line},56,Nausea" for line in lines[1:5])]

    assert rejected(desk, "\n".join(rows)) == [
        ("column_repeated", "Age", 2),
        ("column_repeated", "Side_Effects", 2),
    ]


def test_what_is_known_after_treatment_need_not_be_there(desk: Desk, lines: list[str]) -> None:
    body = "\n".join(line.rsplit(",", 1)[0] for line in lines[:5])

    came_to = divided(desk, body.encode())

    assert details(desk, came_to)["notes"] == [
        "`Side_Effects` not in the file: each score is the mean over the recorded values."
    ]


def test_a_nullable_column_that_is_not_there_is_taken_as_missing(
    desk: Desk, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nullable = with_column(params(), "Gender", nullable=True)
    monkeypatch.setattr(stage, "params", lambda: nullable)
    served = desk.champion, desk.model.reference
    monkeypatch.setattr("score.stages.split.serving", lambda *_: served)
    body = "\n".join(",".join(line.split(",")[:2] + line.split(",")[3:]) for line in lines[:5])

    came_to = divided(desk, body.encode())

    assert details(desk, came_to)["notes"] == ["`Gender` not in the file: treated as missing."]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ((), "support"),
        (("support",), "support_2"),
        ((" Support ", "support_2"), "support_3"),
        (("supports",), "support"),
    ],
)
def test_what_is_added_is_called_as_no_other_column(header: tuple[str, ...], expected: str) -> None:
    assert added(header, params())[4] == expected
