"""Clients of the local clouds: one of each in a process, whoever asks for it."""

from concurrent.futures import ThreadPoolExecutor

from local import clients

HERE, THERE = "http://localhost:1", "http://localhost:2"


def test_a_clouds_service_has_one_client_however_many_ask_for_it_at_once() -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: clients.client("sqs", HERE), range(40)))

    assert len(set(map(id, found))) == 1
    assert found[0].meta.endpoint_url == HERE


def test_other_services_and_other_clouds_have_others() -> None:
    asked = [("sqs", HERE), ("sqs", THERE), ("sns", HERE)]

    assert len({id(clients.client(*each)) for each in asked}) == len(asked)
    assert clients.client("sqs", THERE).meta.endpoint_url == THERE


def test_what_listens_to_a_separate_client_hears_nothing_of_the_others() -> None:
    heard: list[str] = []
    separate = clients.new_client("sqs", HERE)
    separate.meta.events.register("provide-client-params", lambda **_: heard.append("separate"))

    shared = clients.client("sqs", HERE)
    shared.meta.events.emit("provide-client-params")

    assert shared is not separate
    assert heard == []
    separate.meta.events.emit("provide-client-params")
    assert heard == ["separate"]
