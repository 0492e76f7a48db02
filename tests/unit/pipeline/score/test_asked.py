from typing import Any

import pytest
from clinical.errors import InputInvalid
from score.asked import WHAT_MAY_BE, wanted


def test_a_key_alone_is_the_newest_version_of_a_file() -> None:
    read = wanted({"score": "score/in/x.csv"})

    assert (read.score.key, read.score.version_id, read.event) == ("score/in/x.csv", "", None)


def test_an_event_names_a_version() -> None:
    read = wanted(
        {
            "score": {"key": "score/in/x.csv", "version_id": "v1"},
            "event": {"id": "e", "sequencer": "0A"},
        }
    )

    assert read.score.version_id == "v1"
    assert read.event is not None
    assert read.event.sequencer == "0A"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "The input is not a JSON object."),
        (None, "The input is not a JSON object."),
        ({}, "score is missing."),
        ({"score": None}, "score should be a valid dictionary"),
        ({"score": 1}, "score should be a valid dictionary"),
        ({"score": ""}, "score.key is empty."),
        ({"score": {"key": 7}}, "score.key should be a valid string."),
        ({"score": {}}, "score.key is missing."),
        ({"score": {"key": "score/in/x", "version": "1"}}, "score.version is unknown."),
        ({"score": {"key": "score/in/x", "version_id": None}}, "score.version_id should be"),
        ({"score": "score/in/" + "x" * 200}, "score.key is longer than 200 characters."),
        ({"score": "score/in/x.csv", "tune": True}, "tune is unknown."),
        ({"score": "score/in/x.csv", "event": None}, "event is null; leave it out"),
        ({"score": "score/in/x.csv", "event": {"id": "1"}}, "event.sequencer is missing."),
        ({"score": "raw/x.csv"}, "score is not a file under score/in/."),
        ({"score": "score/out/e/part-00000.csv"}, "score is not a file under score/in/."),
        ({"score": "score/in/"}, "score is not a file under score/in/."),
        ({"score": "score/in/folder/"}, "score is not a file under score/in/."),
        ({"raw": "MARKED", "score": "MARKED"}, "raw is unknown."),
    ],
)
def test_another_input_is_refused_with_what_is_wrong_and_what_it_may_be(
    asked: Any, said: str
) -> None:
    with pytest.raises(InputInvalid) as refused:
        wanted(asked)

    assert str(refused.value).startswith(said)
    assert str(refused.value).endswith(WHAT_MAY_BE)
    assert "MARKED" not in str(refused.value)
