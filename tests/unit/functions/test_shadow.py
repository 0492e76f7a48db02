"""A shadow scores what the champion scores: into the log alone, and whatever becomes of it."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from typing import Any, NoReturn

import numpy as np
import obstore
import pytest
from clinical.errors import ModelOfAnotherStudy
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.registry import Champion, Registry, Version
from model import shadow as shadowing
from model.loader import Loaded
from monitor.lines import captured_in

from local.emulator.insights import answered, fields_of
from tests.conftest import ROOT
from tests.unit.conftest import NOW, Answer, Api, Candidate, emf_lines

HANGS_SECONDS = 60

type Patient = dict[str, Any]
type Promote = Callable[[Candidate], Champion]
type Publish = Callable[[Candidate], Version]

TARGET = params().target.column
CANARY = "CANARY-c0ffee-77"
DASHBOARD = (ROOT / "dashboard.yaml").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs/how-to/shadow-a-challenger.md").read_text(encoding="utf-8")
DISCOVERED = 200  # fields of a line, by Logs Insights


@pytest.fixture
def champion(candidate: Candidate, promote: Promote) -> Champion:
    return promote(candidate)


@pytest.fixture
def other(challenger: Candidate, publish: Publish) -> Version:
    """A version that is published and does not serve."""
    return publish(challenger)


@pytest.fixture
def api(predict_api: Api, champion: Champion) -> Api:
    return predict_api


@pytest.fixture
def shadowed(api: Api, other: Version) -> Api:
    """The predict function with the other version as its shadow."""
    api.module.shadow.name = other.version
    return api


def looks_again(api: Api) -> None:
    api.module.follower._next_look = float("-inf")


def logged(
    api: Api, capsys: pytest.CaptureFixture[str], path: str, body: object, **event: Any
) -> tuple[Answer, dict[str, Any]]:
    """Ask, and give the answer and the one line of the request."""
    capsys.readouterr()
    answer = api("POST", path, body, **event)
    (line,) = [one for one in emf_lines(capsys.readouterr().out) if "Latency" in one]
    return answer, line


def every_request(patient: Patient) -> Iterator[tuple[str, object, dict[str, Any]]]:
    treated = {*params().compared, *params().roles.known_after_treatment}
    before = {name: value for name, value in patient.items() if name != "Side_Effects"}
    untreated = {name: value for name, value in patient.items() if name not in treated}
    yield "/predict", patient, {}
    yield "/predict", patient, {"multiValueQueryStringParameters": {"explain": ["true"]}}
    yield "/predict", before, {}
    yield "/predict", patient | {"Age": 17}, {}
    yield "/predict/batch", {"patients": [patient, before, patient | {"Age": 17}, None]}, {}
    yield "/predict/batch", {"patients": [patient | {"Age": 17}]}, {}
    yield "/compare", {"patient": untreated}, {}


def test_a_line_has_what_the_shadow_would_have_said(
    shadowed: Api, patient: Patient, other: Version, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, line = logged(shadowed, capsys, "/predict", patient)

    (own,) = shadowed.module.shadow._loaded.predict([patient])
    assert own.score != answer.body[TARGET]
    assert line["shadow"] == {
        "model_version": other.version,
        "prediction": {TARGET: own.score},
        "difference": round(own.score - answer.body[TARGET], 2),
    }
    assert line["prediction"] == {TARGET: answer.body[TARGET]}
    assert line["model_version"] == answer.body["model_version"] != other.version


def test_no_byte_of_an_answer_is_another(
    api: Api,
    patient: Patient,
    other: Version,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("clinical.ids.os.urandom", bytes)

    def answers() -> list[tuple[int, dict[str, str], str]]:
        looks_again(api)
        return [
            (answer.status, answer.headers, answer.text)
            for path, body, event in every_request(patient)
            for answer in [api("POST", path, body, **event)]
        ]

    without = answers()
    assert '"shadow"' not in capsys.readouterr().out
    api.module.shadow.name = other.version

    assert answers() == without
    assert capsys.readouterr().out.count('"shadow"') == 4


def test_the_rest_of_a_line_is_the_same_beside_a_shadow(
    api: Api, patient: Patient, other: Version, capsys: pytest.CaptureFixture[str]
) -> None:
    api("POST", "/predict", patient)
    _, without = logged(api, capsys, "/predict", patient)
    api.module.shadow.name = other.version
    looks_again(api)

    _, line = logged(api, capsys, "/predict", patient)

    assert set(line) - set(without) == {"shadow"}
    assert line["_aws"]["CloudWatchMetrics"] == without["_aws"]["CloudWatchMetrics"]
    assert line["features"] == without["features"]


def test_a_batch_has_lists_beside_the_others(
    shadowed: Api, patient: Patient, other: Version, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [patient, patient | {"Age": 17}, patient | {"Age": 60}]

    answer, line = logged(shadowed, capsys, "/predict/batch", {"patients": rows})

    own = [one.score for one in shadowed.module.shadow._loaded.predict([rows[0], rows[2]])]
    answered = [one[TARGET] for one in answer.body["predictions"] if TARGET in one]
    assert line["shadow"] == {
        "model_version": other.version,
        "prediction": {TARGET: own},
        "difference": [round(one - score, 2) for one, score in zip(own, answered, strict=True)],
    }


def test_a_large_batch_has_them_in_each_of_its_lines(
    shadowed: Api,
    patient: Patient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("clinical.telemetry.LINE_BYTES", 48 * 1024)
    rows = [
        patient | {"Age": 18 + number % 62, "Patient_ID": f"{CANARY}-{number}"}
        for number in range(params().serving.max_batch_rows)
    ]
    shadowed("POST", "/predict", patient)
    capsys.readouterr()

    answer = shadowed("POST", "/predict/batch", {"patients": rows})

    printed = capsys.readouterr().out
    assert CANARY not in printed
    assert max(len(text.encode()) for text in printed.splitlines()) <= 48 * 1024
    lines = [json.loads(text) for text in printed.splitlines()]
    assert len(lines) > 2
    said = {
        name: score
        for line in lines
        for name, score in zip(
            line["prediction_id"], line["shadow"]["prediction"][TARGET], strict=True
        )
    }
    own = shadowed.module.shadow._loaded.predict(rows)
    ids = [one["prediction_id"] for one in answer.body["predictions"]]
    assert [said[one] for one in ids] == [one.score for one in own]
    assert all(len(one["shadow"]["difference"]) == len(one["prediction_id"]) for one in lines)


def test_a_request_that_the_shadow_would_refuse_says_so(
    shadowed: Api,
    patient: Patient,
    other: Version,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shadowed("POST", "/predict", patient)
    known = shadowed.module.shadow._loaded.training_rows
    names = params().roles.recorded_together
    del known[tuple(patient[name] for name in names)]

    answer, line = logged(shadowed, capsys, "/predict", patient)

    assert answer.status == 200
    assert line["shadow"] == {
        "model_version": other.version,
        "refused": "unrecorded_combination",
    }

    before = {name: value for name, value in patient.items() if name != "Side_Effects"}
    _, line = logged(shadowed, capsys, "/predict/batch", {"patients": [before, patient]})

    assert line["shadow"]["refused"] == [None, "unrecorded_combination"]
    assert line["shadow"]["difference"][1] is None
    assert line["shadow"]["prediction"][TARGET][1] is None
    assert line["shadow"]["prediction"][TARGET][0] > 0


@pytest.mark.parametrize(
    "said", [float("nan"), RuntimeError(CANARY), MemoryError(CANARY), KeyError]
)
def test_a_shadow_that_breaks_reaches_no_caller(
    shadowed: Api,
    patient: Patient,
    other: Version,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    said: Any,
) -> None:
    shadowed("POST", "/predict", patient)

    def broken(_: Loaded, patients: list[Patient], *__: object) -> Any:
        if isinstance(said, float):
            return np.array([said] * len(patients))
        raise said

    monkeypatch.setattr(Loaded, "scores", broken)
    scorer = shadowed.module.follower.current().scorer
    monkeypatch.setattr(
        type(shadowed.module.follower.current()),
        "scores",
        lambda _, patients, __: scorer.predict(patients),
    )

    for path, body in (("/predict", patient), ("/predict/batch", {"patients": [patient] * 2})):
        answer, line = logged(shadowed, capsys, path, body)
        assert answer.status == 200
        assert set(line["shadow"]) == {"model_version", "failed"}
        assert line["shadow"]["model_version"] == other.version
        assert CANARY not in json.dumps(line)
        assert "NaN" not in json.dumps(line)
        assert len(captured_in(json.dumps(line), NOW, params())) == len(body.get("patients", "1"))


def test_the_monitor_reads_such_lines_as_before(
    api: Api, patient: Patient, other: Version, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, body, event in every_request(patient):
        api.module.shadow.name = None
        looks_again(api)
        _, line = logged(api, capsys, path, body, **event)
        before = captured_in(json.dumps(line), NOW, params())
        api.module.shadow.name = other.version
        looks_again(api)
        _, line = logged(api, capsys, path, body, **event)

        after = captured_in(json.dumps(line), NOW, params())

        assert [replace(one, prediction_id="") for one in after] == [
            replace(one, prediction_id="") for one in before
        ]


def test_without_a_shadow_nothing_is_loaded_beside_the_champion(
    api: Api, patient: Patient, other: Version, capsys: pytest.CaptureFixture[str]
) -> None:
    _, line = logged(api, capsys, "/predict", patient)

    assert params().serving.shadow is None
    assert api.module.shadow._loaded is None
    assert "shadow" not in line


def test_the_champion_is_not_scored_twice(
    api: Api,
    patient: Patient,
    champion: Champion,
    candidate: Candidate,
    challenger: Candidate,
    promote: Promote,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api.module.shadow.name = champion.version
    _, line = logged(api, capsys, "/predict", patient)
    assert "shadow" not in line

    promote(challenger)
    looks_again(api)
    _, line = logged(api, capsys, "/predict", patient)
    assert line["shadow"]["model_version"] == champion.version != line["model_version"]

    promote(candidate)
    looks_again(api)
    _, line = logged(api, capsys, "/predict", patient)
    assert line["model_version"] == champion.version
    assert "shadow" not in line
    assert api.module.shadow._loaded is None


# ---- What cannot be loaded ----


def test_a_version_that_nobody_published_is_told_once_an_interval(
    api: Api, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    api.module.shadow.name = "v-0badc0de"

    for _ in range(2):
        looks_again(api)
        for _ in range(3):
            assert api("POST", "/predict", patient).status == 200

    told = [text for text in capsys.readouterr().out.splitlines() if "shadow" in text]
    assert len(told) == 2
    assert all("the registry has no version v-0badc0de" in text for text in told)


def test_a_corrupt_shadow_costs_nothing_and_is_loaded_once_it_is_restored(
    shadowed: Api,
    patient: Patient,
    other: Version,
    bucket: ObstoreBucket,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = bucket.get(other.model.key).body
    bucket.put(other.model.key, whole[:-1])
    capsys.readouterr()
    assert shadowed("POST", "/predict", patient).status == 200
    printed = capsys.readouterr().out
    assert "ArtefactCorrupted" in printed
    assert '"ArtefactsRefused"' in printed
    assert "ChampionRefreshFailures" not in printed

    bucket.put(other.model.key, whole)
    looks_again(shadowed)

    _, line = logged(shadowed, capsys, "/predict", patient)
    assert line["shadow"]["model_version"] == other.version


def test_a_shadow_of_another_contract_is_not_asked(
    shadowed: Api,
    patient: Patient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def of_another_study(*_: object) -> NoReturn:
        raise ModelOfAnotherStudy("trained under other columns")

    monkeypatch.setattr(shadowing, "opened", of_another_study)

    assert shadowed("POST", "/predict", patient).status == 200
    assert "trained under other columns" in capsys.readouterr().out


def test_an_s3_that_hangs_over_the_shadow_has_no_more_time_than_a_look(
    shadowed: Api,
    patient: Patient,
    other: Version,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    serving = params().serving.model_copy(
        update={"load_timeout_seconds": 0.3, "refresh_timeout_seconds": 0.3}
    )
    hasty = params().model_copy(update={"serving": serving})
    answers = obstore.get_async

    async def hanging(store: Any, key: str, **asked: Any) -> Any:
        if other.version in key:
            await asyncio.sleep(HANGS_SECONDS)
        return await answers(store, key, **asked)

    shadowed("GET", "/health")
    shadowed.module.shadow._loaded = None
    monkeypatch.setattr("clinical.champion.params", lambda: hasty)
    monkeypatch.setattr(obstore, "get_async", hanging)
    looks_again(shadowed)
    began = time.monotonic()

    answers_of = [shadowed("POST", "/predict", patient) for _ in range(5)]

    assert time.monotonic() - began < HANGS_SECONDS  # no request waited for it
    assert {one.status for one in answers_of} == {200}
    assert capsys.readouterr().out.count("The shadow could not be loaded") == 1
    monkeypatch.setattr(obstore, "get_async", answers)
    looks_again(shadowed)
    _, line = logged(shadowed, capsys, "/predict", patient)
    assert line["shadow"]["model_version"] == other.version


def test_a_failing_look_for_the_champion_looks_for_no_shadow(
    shadowed: Api,
    patient: Patient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shadowed("POST", "/predict", patient)
    loaded = shadowed.module.shadow._loaded
    monkeypatch.setattr(Registry, "champion_after", broken_down)
    monkeypatch.setattr(shadowing, "opened", broken_down)
    looks_again(shadowed)

    assert shadowed("POST", "/predict", patient).status == 200
    assert shadowed.module.shadow._loaded is loaded


def broken_down(*_: object) -> NoReturn:
    raise OSError(CANARY)


# ---- What it comes to, in Logs Insights ----


def test_the_dashboard_sums_up_what_the_lines_say(
    shadowed: Api, patient: Patient, other: Version, capsys: pytest.CaptureFixture[str]
) -> None:
    (query,) = re.findall(r"SOURCE '[^']+' \| (filter ispresent\(shadow[^\"]+)", DASHBOARD)
    for age in (20, 30, 40, 50):
        shadowed("POST", "/predict", patient | {"Age": age})
    names = params().roles.recorded_together
    del shadowed.module.shadow._loaded.training_rows[tuple(patient[name] for name in names)]
    shadowed("POST", "/predict", patient)
    shadowed("POST", "/predict/batch", {"patients": [patient] * 3})
    shadowed("POST", "/predict", patient | {"Age": 17})
    lines = capsys.readouterr().out.splitlines()

    (row,) = answered(query, [{"@message": line} for line in lines])

    said = [json.loads(one) for one in lines if '"shadow"' in one and "batch" not in one]
    differences = sorted(one["shadow"]["difference"] for one in said[:4])
    assert len(said) == 5
    assert all(len(fields_of(one)) <= DISCOVERED for one in lines if '"POST /predict"' in one)
    assert row == {
        "model_version": said[0]["model_version"],
        "shadow.model_version": other.version,
        "requests": "5",
        "mean": str(round(sum(differences) / 4, 6)),
        "p5": str(differences[0]),
        "median": str(differences[1]),
        "p95": str(differences[3]),
        "refused": "1",
        "failed": "0",
    }


def test_the_guide_asks_batches_for_what_their_lines_have(
    shadowed: Api, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    (query,) = re.findall(r"```\n(fields jsonParse.+?)```", GUIDE, re.DOTALL)
    _, line = logged(shadowed, capsys, "/predict/batch", {"patients": [patient] * 2})

    for path in re.findall(r"line\.([\w.]+)", query):
        found = reduce(lambda value, name: value[name], path.split("."), line)
        assert isinstance(found, list) == (path == "shadow.difference")
    for pattern in re.findall(r"like /(.+?[^\\])/", query):
        assert re.search(pattern, json.dumps(line, separators=(",", ":")))
