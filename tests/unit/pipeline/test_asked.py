import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asking import MAX_KEY
from clinical.errors import InputInvalid
from clinical.params import params
from hypothesis import given
from hypothesis import strategies as st
from retrain.asked import WHAT_MAY_BE, outcomes_asked, wanted

KEY = "raw/data.csv"
EVENT = {"id": "11111111-2222-3333-4444-555555555555", "sequencer": "0A1B"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"raw": {"key": KEY}},
        {"raw": {"key": KEY, "version_id": ""}},
        {"raw": {"key": KEY, "version_id": "null"}, "event": EVENT},
        {"raw": {"key": KEY}, "even_if_older": True, "who": "ada", "reason": "She knows."},
        {"raw": {"key": "raw/" + "x" * (MAX_KEY - 4)}},
        {"tune": True},
        {"tune": False},
        {"tune": "full"},
        {"outcomes": True},
        {"outcomes": False},
        {"outcomes": "2026-10-31", "raw": {"key": KEY}, "who": "ada"},
        {"promote": "v-0a1b2c3d"},
        {"promote": "previous", "who": "ada", "reason": "x" * 2000},
    ],
)
def test_what_can_be_asked_for_is_read(given: dict[str, Any]) -> None:
    read = wanted(given, params()).model_dump(exclude_unset=True)

    assert read == given


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "not a JSON object"),
        ([{"tune": True}], "not a JSON object"),
        (None, "not a JSON object"),
        ("", "not a JSON object"),
        ("{}", "not a JSON object"),
        (0, "not a JSON object"),
        (True, "not a JSON object"),
        ({"promot": "v-0a1b2c3d"}, "promot is unknown"),
        ({"Tune": True}, "Tune is unknown"),
        ({"tune": 0}, "tune must be true, false or the name of a grid"),
        ({"tune": 1.0}, "tune must be"),
        ({"tune": None}, "tune must be"),
        ({"tune": []}, "tune must be"),
        ({"tune": ""}, "tune is not a grid in params.yaml"),
        ({"tune": "huge"}, "use true for the default, or small, full"),
        ({"outcomes": None}, "outcomes must be true, false, or a day or time in ISO 8601"),
        ({"outcomes": 1}, "outcomes must be"),
        ({"outcomes": "2" * 65}, "outcomes must be"),
        ({"promote": "v-0a1b2c3d", "outcomes": True}, "cannot be combined with outcomes"),
        ({"raw": KEY}, "raw should be"),
        ({"raw": None}, "raw is null"),
        ({"raw": {}}, "raw.key is missing"),
        ({"raw": {"key": ""}}, "raw.key is empty"),
        ({"raw": {"key": None}}, "raw.key should be a valid string"),
        ({"raw": {"key": "raw/" + "x" * 214}}, f"raw.key is longer than {MAX_KEY} characters"),
        ({"raw": {"key": KEY, "version_id": None}}, "raw.version_id should be"),
        ({"raw": {"key": KEY, "version": "1"}}, "raw.version is unknown"),
        ({"raw": [{"key": KEY}]}, "raw should be"),
        ({"event": EVENT}, "raw is missing"),
        ({"raw": {"key": KEY}, "event": {}}, "event.id is missing"),
        ({"raw": {"key": KEY}, "event": {**EVENT, "sequencer": "x"}}, "event.sequencer should"),
        ({"even_if_older": "true"}, "even_if_older should be a valid boolean"),
        ({"even_if_older": None}, "even_if_older should be"),
        ({"promote": None}, "promote is null"),
        ({"promote": ""}, "promote is not a version"),
        ({"promote": "v-0A1B2C3D"}, "promote is not a version"),
        ({"promote": "../../x"}, "promote is not a version"),
        ({"promote": ["v-0a1b2c3d"]}, "promote should be"),
        ({"promote": "v-0a1b2c3d", "reason": ""}, "reason is blank"),
        ({"promote": "v-0a1b2c3d", "reason": " \n"}, "reason is blank"),
        ({"promote": "v-0a1b2c3d", "reason": "x" * 2001}, "reason is longer than 2000 characters"),
        ({"promote": "v-0a1b2c3d", "reason": None}, "reason is null"),
        ({"promote": "v-0a1b2c3d", "who": ""}, "who is blank"),
        ({"who": "x" * 201}, "who is longer than 200 characters"),
        ({"promote": "v-0a1b2c3d", "tune": True}, "cannot be combined with tune"),
        ({"promote": "previous", "raw": {"key": KEY}}, "cannot be combined with raw"),
    ],
)
def test_what_cannot_is_refused_in_a_sentence_that_says_what_can(given: Any, said: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        wanted(given, params())

    assert said in str(refused.value)
    assert str(refused.value).endswith(WHAT_MAY_BE)


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "until"),
    [
        ({}, None),
        ({"outcomes": False}, None),
        ({"outcomes": True}, NOW),
        ({"outcomes": "2026-11-23"}, NOW),
        ({"outcomes": "2026-10-31"}, datetime(2026, 11, 1, tzinfo=UTC)),
        ({"outcomes": "2026-10-31T02:00+02:00"}, datetime(2026, 10, 31, tzinfo=UTC)),
    ],
)
def test_outcomes_are_asked_for_up_to_now_or_to_a_time_or_not(
    asked: dict[str, Any], until: datetime | None
) -> None:
    assert outcomes_asked(wanted(asked, params()), NOW) == until


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ("", "outcomes is not a day or a time in ISO 8601 format."),
        ("yesterday", "outcomes is not a day"),
        ("2026-02-30", "outcomes is not a day"),
        ("2026-11-24", "outcomes is in the future."),
        ("1999-12-31", "outcomes is before 2000."),
    ],
)
def test_a_time_that_is_none_is_refused_as_the_monitor_refuses_it(outcomes: str, said: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        outcomes_asked(wanted({"outcomes": outcomes}, params()), NOW)

    assert str(refused.value).startswith(said)
    assert str(refused.value).endswith(WHAT_MAY_BE)


def test_every_wrong_member_is_named_at_once() -> None:
    with pytest.raises(InputInvalid) as refused:
        wanted({"tune": 0, "raw": {"key": ""}, "promote": None}, params())

    for said in ("tune must be", "raw.key is empty", "promote is null"):
        assert said in str(refused.value)


def test_the_case_of_an_empty_reason_is_refused_at_once(cases: Path) -> None:
    given = json.loads((cases / "requests" / "promote-empty-reason.json").read_text())

    with pytest.raises(InputInvalid, match="reason is blank"):
        wanted(given, params())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
names = ["raw", "event", "tune", "promote", "reason", "who", "even_if_older", "outcomes"]


@given(given=json_values | st.dictionaries(st.sampled_from(names), json_values, max_size=4))
def test_whatever_is_asked_is_read_or_refused_by_name(given: Any) -> None:
    try:
        wanted(given, params())
    except InputInvalid:
        return

    assert isinstance(given, dict)
