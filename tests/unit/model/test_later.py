import pytest
from model.later import Later, Latest


class World:
    """What is there, when it is, and how often somebody looked."""

    def __init__(self) -> None:
        self.there: str | None = None
        self.seconds = 0.0
        self.looks = 0

    def read(self) -> str | None:
        self.looks += 1
        return self.there


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def later(world: World) -> Later[str]:
    return Later(world.read, 10.0, lambda: world.seconds)


def test_what_is_not_there_is_looked_for_again_after_a_while(
    world: World, later: Later[str]
) -> None:
    assert [later.now(), later.now()] == [None, None]
    assert world.looks == 1
    world.there, world.seconds = "it", 10.0

    assert later.now() == "it"


def test_what_is_there_is_kept(world: World, later: Later[str]) -> None:
    world.there = "it"
    later.now()
    world.there, world.seconds = "another", 99.0

    assert later.now() == "it"
    assert world.looks == 1


def test_after_a_failure_it_waits_as_after_a_look(world: World) -> None:
    def fail() -> str:
        world.looks += 1
        raise OSError("the disk is gone")

    later = Later(fail, 10.0, lambda: world.seconds)
    with pytest.raises(OSError, match="gone"):
        later.now()

    assert later.now() is None
    assert world.looks == 1


def test_what_changes_is_read_anew_after_a_while(world: World) -> None:
    latest = Latest(world.read, 10.0, lambda: world.seconds)
    world.there = "it"
    first = [latest.now(), latest.now()]
    world.there, world.seconds = "another", 10.0

    assert first == ["it", "it"]
    assert [latest.now(), latest.now()] == ["another", "another"]
    assert world.looks == 2


def test_where_nothing_is_read_what_was_there_stays(world: World) -> None:
    latest = Latest(world.read, 10.0, lambda: world.seconds)
    world.there = "it"
    latest.now()
    world.there, world.seconds = None, 10.0

    assert latest.now() == "it"
    assert world.looks == 2
