"""The change-control page: each of its claims names a file or a figure that is there."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from change_control import history, render
from change_control.modifications import MODIFICATIONS, STATES
from change_control.sources import Decisions, simulated, template
from clinical.artefacts import Bucket
from clinical.params import ApprovalWhen, MovesMoreThan, params
from clinical.registry import Registry

from local.studies import names, study_of
from tests import state_machine
from tests import template as deployed
from tests.pipeline import own_store
from tests.unit.pipeline.change_control.made import (
    FIRST,
    ROOT,
    SECOND,
    TOKEN,
    Page,
    at,
    with_a_history,
    words,
)

MOST_BYTES = 200_000


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """An artefacts bucket in which three promotions were made."""
    with own_store() as store:
        with_a_history(store)
        yield store


@pytest.fixture(scope="module")
def page(bucket: Bucket) -> Page:
    return Page(render(history(bucket), params()))


# ---- Every claim has a source, and every source is there ----


def test_nothing_is_said_that_names_no_source(page: Page) -> None:
    """But for what a section is about, and for links from here to there."""
    main = page.with_id("report")

    claims = [one for one in main.iter() if "claim" in one.get("class", "").split()]
    inside = {id(part) for one in claims for part in one.iter()}
    said = [one for one in main.iter() if one.tag in {"p", "li", "td", "figcaption"}]
    unsaid = [words(one) for one in said if id(one) not in inside and one.get("class") != "lead"]
    assert len(claims) > 150
    assert unsaid == []
    for one in claims:
        assert sources(one), words(one)


def test_every_source_is_a_file_or_an_object_that_has_what_is_named(
    page: Page, bucket: Bucket
) -> None:
    found = sources(page.root)

    assert {file.split("/")[0] for file, _ in found} >= {
        *("params.yaml", "template.yaml", "pipeline", "layers", "docs", "models", "approvals")
    }
    for file, key in found:
        assert is_there(file, key, bucket), (file, key)


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("params.yaml", "gate.no_such_key"),
        ("template.yaml", "Resources.NoSuchAlarm"),
        ("pipeline/retrain/retrain.asl.json", "NoSuchState"),
        ("pipeline/retrain/gate.py", "no_such_function"),
        ("docs/explanation/monitoring.md", "No such heading"),
        ("no/such/file.py", ""),
        ("models/ledger/000009.json", ""),
        ("models/ledger/000001.json", "no_such_key"),
    ],
)
def test_what_is_not_there_would_be_found_missing(file: str, key: str, bucket: Bucket) -> None:
    assert not is_there(file, key, bucket)


def sources(element: ET.Element) -> set[tuple[str, str]]:
    return {(one.attrib["data-file"], one.attrib["data-key"]) for one in element.iter("cite")}


def is_there(file: str, key: str, bucket: Bucket) -> bool:
    if file.startswith(("models/", "approvals/")):
        return bool(bucket.keys(file, "")) and leads(json.loads(bucket.get(file).body), key)
    if not (ROOT / file).is_file():
        return False
    return not key or LOOKED_UP[file.rpartition(".")[2]](file, key)


def leads(value: Any, path: str) -> bool:
    try:
        at(value, path)
    except (KeyError, TypeError):
        return False
    return True


@cache
def read(file: str) -> Any:
    if file == "template.yaml":
        return deployed.template()
    return yaml.safe_load((ROOT / file).read_text())


def in_a_schema(file: str, path: str) -> bool:
    schema = here = json.loads((ROOT / file).read_text())
    for key in path.split("."):
        while "$ref" in here:
            here = at(schema, here["$ref"].removeprefix("#/").replace("/", "."))
        if key not in here.get("properties", {}):
            return False
        here = here["properties"][key]
    return "default" in here


def in_json(file: str, key: str) -> bool:
    if file == "params.schema.json":
        return in_a_schema(file, key)
    machine = json.loads((ROOT / file).read_text())
    return key in machine or key in state_machine.states(machine)


LOOKED_UP: dict[str, Callable[[str, str], bool]] = {
    "yaml": lambda file, key: leads(read(file), key),
    "json": in_json,
    "py": lambda file, key: bool(
        re.search(rf"^\s*(def|class) {key}\b", (ROOT / file).read_text(), re.MULTILINE)
    ),
    "md": lambda file, key: f"# {key}\n" in (ROOT / file).read_text(),
}


# ---- What is read from elsewhere is all of it ----


def test_every_task_of_the_machine_that_retrains_is_in_the_protocol() -> None:
    states = state_machine.states(state_machine.definition())
    tasks = {name for name, one in states.items() if one["Type"] == "Task"}

    named = [name for part in STATES.values() for name in part]
    assert len(named) == len(set(named))
    assert tasks <= set(named) <= set(states)


def test_every_way_a_run_ends_is_told(page: Page) -> None:
    definition = state_machine.definition()
    ends = {
        name for name, one in definition["States"].items() if one["Type"] in {"Succeed", "Fail"}
    }

    assert ends <= set(first_cells(page, "training"))


def test_every_alarm_is_told_with_the_threshold_that_its_parameter_has(page: Page) -> None:
    alarms = {
        name.removesuffix("Alarm")
        for name, one in deployed.template()["Resources"].items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }

    said = words(page.with_id("update"))
    assert len(alarms) >= 18
    for name in alarms:
        assert f"{name}, where " in said
    assert "Latency, where Latency is above 500: In three of five minutes" in said


def first_cells(page: Page, section: str) -> list[str]:
    return [words(one) for one in page.with_id(section).iter("th") if one.get("scope") == "row"]


def test_the_template_is_read_as_who_checks_it_reads_it() -> None:
    assert template().read == deployed.template()


def test_who_may_write_the_ledger_is_read_from_the_policies(page: Page) -> None:
    (table,) = [
        one for one in page.with_id("update").iter("table") if "Who may write" in words(one)
    ]

    rows = [[words(cell) for cell in one] for one in table.iter("tr")]
    of_the_ledger = [cells[:3] for cells in rows if "models/ledger/*" in cells[2]]
    everybody = "Everyone, including administrators"
    appended = "models/ledger/*, models/change-control/*, approvals/*/decision.json"
    assert of_the_ledger == [
        ["PromoteFunction", "s3:PutObject", "models/champion.json, models/ledger/*"],
        [everybody, "no s3:PutObject unless it is new", appended],
        [everybody, "no s3:DeleteObject and s3:DeleteObjectVersion", appended],
    ]


def test_false_alarms_are_the_figures_that_were_simulated(page: Page) -> None:
    written = (ROOT / "docs/explanation/monitoring.md").read_text()

    rows = simulated("Drift: a clean year")
    assert rows
    for row in rows:
        assert f"| {' | '.join(row.values())} |" in written
        assert row["years with an alarm"] in words(page.with_id("update"))


def test_modifications_are_numbered_in_their_order() -> None:
    assert [one.number for one in MODIFICATIONS] == [
        f"M{number}" for number in range(1, len(MODIFICATIONS) + 1)
    ]


@pytest.mark.parametrize(
    ("approval", "said"),
    [
        ("none", "A candidate that passes the gate needs no approval"),
        ("always", "Every candidate needs approval. It waits 7 days; after that"),
        (
            ApprovalWhen(when=("with_warning", MovesMoreThan(replay_moves_more_than=0.1))),
            (
                "Approval is required for a candidate that does not beat the average and whose "
                "replayed scores change by more than their interval's half-width in more than 10% "
                "of the requests. It waits 7 days"
            ),
        ),
    ],
)
def test_it_says_who_has_to_approve(approval: Any, said: str, bucket: Bucket) -> None:
    gate = params().gate.model_copy(update={"approval": approval})
    decided = params().model_copy(update={"gate": gate})

    page = Page(render(history(bucket), decided))

    assert said in words(page.with_id("update"))


def test_a_decision_that_the_file_leaves_out_is_the_schemas() -> None:
    gate = params().gate.model_copy()
    gate.model_fields_set.discard("approval_days")
    decided = params().model_copy(update={"gate": gate})

    decisions = Decisions(decided)

    assert decisions.source("gate.approval_days").file == "params.schema.json"
    assert decisions.source("gate.approval").file == "params.yaml"


@pytest.mark.parametrize("name", names())
def test_it_is_written_of_every_study(name: str, bucket: Bucket) -> None:
    decided = study_of(name).params()

    page = Page(render(history(bucket), decided))

    assert decided.study.title in words(page.root)


# ---- The history ----


def test_every_promotion_of_the_ledger_is_on_it_with_its_verdict(
    page: Page, bucket: Bucket
) -> None:
    ledger = list(Registry(bucket).ledger(champion(bucket), 10))

    changes = page.of_class("change")
    assert [int(one.attrib["data-sequence"]) for one in changes] == [
        entry.sequence for entry in ledger
    ]
    for entry, one in zip(ledger, changes, strict=True):
        verdict = entry.promotion.verdict or entry.verdict
        said = words(one)
        assert one.attrib["data-decision"] == verdict.decision
        assert verdict.reasons
        for reason in verdict.reasons:
            assert reason in said
        assert entry.promotion.who in said
        assert entry.promotion.why in said


def champion(bucket: Bucket) -> Any:
    pointer = Registry(bucket).champion()
    assert pointer
    return pointer.champion


def test_a_change_tells_who_approved_what_its_replay_was_and_what_came_since(page: Page) -> None:
    said = words(page.with_id("change-2"))

    assert "approved by grace@example on 2026-11-21 15:00: Its replay moves nobody <much>." in said
    assert "In a replay of the last 9,876 captured requests, the candidate would refuse 12" in said
    assert (
        "1.2% of the scores change by more than the half-width of the champion's interval." in said
    )
    assert "0 differ from what was served" in said
    assert "On 321 of them with a known outcome" in said
    assert "The version has answered" in said
    assert "Served until 2026-11-23 09:00, when change 3 replaced it." in said


def test_a_change_by_hand_says_that_nobody_judged_it(page: Page) -> None:
    said = words(page.with_id("change-3"))

    assert "not required, because a person named the version" in said
    assert "from its publication; it was not judged for this promotion." in said
    assert "Serves as of this page." in said


def test_what_was_rejected_is_listed_and_what_waits_is_not(page: Page) -> None:
    (table,) = [
        one for one in page.with_id("report").iter("table") if "were not approved" in words(one)
    ]

    rows = [words(one) for one in table.iter("tr")][1:]
    assert len(rows) == 1
    assert rows[0].startswith("execution-4")
    assert "Too few women." in rows[0]


def test_no_token_is_on_it(page: Page) -> None:
    assert TOKEN not in page.text


def test_it_says_plainly_that_it_is_no_submission(page: Page) -> None:
    header = page.root.find("body/header")
    assert header is not None

    assert "This is not a submission to any authority and not regulatory advice." in words(header)


def test_an_entry_that_the_ledger_lost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with own_store() as store:
        with_a_history(store)
        keys = store.keys
        monkeypatch.setattr(
            store, "keys", lambda *asked: [one for one in keys(*asked) if "000002" not in one]
        )

        page = Page(render(history(store), params()))

    assert "The ledger has no entry for promotion 2." in words(page.root)


def test_a_page_as_of_a_promotion_knows_no_later_one(bucket: Bucket) -> None:
    found = history(bucket, until=2)

    assert [one.entry.sequence for one in found.changes] == [2, 1]
    assert [one.entry.version for one in found.changes] == [SECOND, FIRST]


def test_without_any_promotion_it_says_so() -> None:
    with own_store() as store:
        page = Page(render(history(store), params()))

    assert "No version has been promoted yet." in words(page.with_id("report"))


# ---- The page ----


def test_links_lead_somewhere_and_nothing_comes_from_elsewhere(page: Page) -> None:
    ids = [one.get("id") for one in page.root.iter() if one.get("id")]

    assert len(ids) == len(set(ids))
    for one in page.root.iter("a"):
        where = one.attrib["href"]
        assert where.removeprefix("#") in ids or where.startswith(
            "https://www.federalregister.gov/"
        )
    assert not [one for one in page.root.iter() if one.tag in {"script", "img", "iframe"}]
    assert len(page.text.encode()) < MOST_BYTES


def test_the_same_history_is_the_same_page(bucket: Bucket) -> None:
    assert render(history(bucket), params()) == render(history(bucket), params())
