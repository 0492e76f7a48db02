import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.emulator.generations import CODE, MANIFEST, Generations


@pytest.fixture
def kept(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "state")


def test_the_newest_generation_holds_what_was_written(kept: Generations) -> None:
    kept.write({"s3.json": b"1", "sns.json": b"a"}, None)
    written = kept.write({"s3.json": b"2", "sns.json": b"a"}, kept.newest()[0])

    newest, unreadable = kept.newest()

    assert newest == written
    assert unreadable == []
    assert {name: (newest.folder / name).read_bytes() for name in newest.files} == {
        "s3.json": b"2",
        "sns.json": b"a",
    }


def test_what_did_not_change_makes_no_generation_and_takes_no_room(kept: Generations) -> None:
    first = kept.write({"s3.json": b"1", "sns.json": b"a"}, None)

    same = kept.write({"s3.json": b"1", "sns.json": b"a"}, first)
    second = kept.write({"s3.json": b"2", "sns.json": b"a"}, same)

    assert same is first
    assert (second.folder / "sns.json").samefile(first.folder / "sns.json")
    assert not (second.folder / "s3.json").samefile(first.folder / "s3.json")


@pytest.mark.parametrize("damage", ["half", "empty", "gone", "other", "no manifest", "no long"])
def test_a_damaged_generation_is_named_and_the_one_before_it_used(
    kept: Generations, damage: str
) -> None:
    first = kept.write({"s3.json": b"0123456789"}, None)
    long = kept.write_long(b"layer")
    second = kept.write({"s3.json": b"9876543210" + refer(long)}, first)
    file = second.folder / "s3.json"
    body = file.read_bytes()
    match damage:
        case "half":
            file.write_bytes(body[:20])
        case "empty":
            file.write_bytes(b"")
        case "gone":
            file.unlink()
        case "other":
            file.write_bytes(body[:-1] + b"?")
        case "no manifest":
            (second.folder / MANIFEST).write_bytes(b'{"files": {')
        case _:
            kept.long(long).unlink()

    assert kept.newest() == (first, [second.folder.name])


def test_a_generation_that_was_being_written_when_all_ended_is_none(kept: Generations) -> None:
    first = kept.write({"s3.json": b"1"}, None)
    first.folder.with_name("000000002.tmp").mkdir()

    assert kept.newest() == (first, [])
    assert kept.write({"s3.json": b"2"}, first).folder.name == "000000002"


def test_two_generations_are_kept_with_what_they_refer_to(kept: Generations) -> None:
    code = kept.folder / CODE
    code.mkdir(parents=True)
    last = None
    names = []
    for number in range(4):
        names.append(kept.write_long(f"layer {number}".encode()))
        (code / f"{names[-1]}.zip").write_bytes(b"x")
        last = kept.write({"lambda.json": refer(names[-1]) + refer_code(names[-1])}, last)

    assert sorted(path.name for path in kept.folder.glob("0*")) == ["000000003", "000000004"]
    assert {path.name for path in (kept.folder / "long").iterdir()} == set(names[2:])
    assert {path.stem for path in code.iterdir()} == set(names[2:])


def test_a_folder_without_generations_has_none(kept: Generations) -> None:
    assert kept.newest() == (None, [])


@settings(deadline=None)  # the disk may be slow
@given(bodies=st.lists(st.dictionaries(st.sampled_from("abc"), st.binary(max_size=9)), max_size=6))
def test_however_states_follow_each_other_the_last_is_found_whole(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[dict[str, bytes]]
) -> None:
    kept, last = Generations(tmp_path_factory.mktemp("state")), None
    for files in bodies:
        last = kept.write(files, last)

    newest, unreadable = kept.newest()

    assert newest == last
    assert unreadable == []
    if newest:
        assert {name: (newest.folder / name).read_bytes() for name in newest.files} == bodies[-1]


def refer(name: str) -> bytes:
    return json.dumps({"__long__": name}).encode()


def refer_code(name: str) -> bytes:
    return json.dumps({"code_blob_ref": name}).encode()
