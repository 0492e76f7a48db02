import json

import pytest

from local import scoring
from local.console.score import begun, file_of, headers
from tests.unit.local import clouds


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"score": {"key": "score/in/0a1b2c3d-patients.csv", "version_id": "v"}}, "patients.csv"),
        ({"score": "score/in/by-hand.csv"}, "by-hand.csv"),
        ({"score": 7}, "7"),
        ({}, "no file"),
        ([], "no file"),
    ],
)
def test_an_execution_is_called_after_its_file_whatever_it_was_asked(
    asked: object, name: str
) -> None:
    assert file_of(json.dumps(asked)) == name


@pytest.mark.usefixtures("cloud")
def test_a_download_has_the_name_and_the_size_of_the_result() -> None:
    written = json.loads(clouds.scored())["summary"]

    told = headers(scoring.summary_of(clouds.stack(), written))

    assert told["Content-Disposition"].endswith("''patients.scored.csv")
    assert told["Content-Length"] == str(sum(map(len, clouds.PARTS)))


@pytest.mark.usefixtures("cloud")
def test_the_size_of_several_parquet_parts_together_is_not_known_before() -> None:
    written = json.loads(clouds.scored(ending=".parquet"))["summary"]

    assert "Content-Length" not in headers(scoring.summary_of(clouds.stack(), written))


def test_a_result_begins_with_its_first_piece() -> None:
    assert list(begun(iter([b"a", b"b"]))) == [b"a", b"b"]
    assert b"".join(begun(iter([]))) == b""
