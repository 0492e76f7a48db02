import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import stage
from clinical.params import Params, params

from bench import alone
from bench.alone import Job, Taken, in_a_process
from bench.growth import (
    ARTEFACTS,
    RETRAIN_STATES,
    RETRAINING,
    SCORE_STATES,
    SCORING,
    SPARE,
    Growth,
    growth,
    memory,
    warnings,
    write,
)
from tests.state_machine import definition, states
from tests.unit.conftest import smaller

DOCUMENT = Path(__file__).parents[3] / "docs/explanation/growth.md"
STAGES = (*RETRAINING, *SCORING)


def quick() -> Params:
    """The same decisions, with few trees and a curve of two points."""
    curve = params().learning_curve.model_copy(update={"draws": 2, "fractions": (0.5, 1.0)})
    evaluation = params().evaluation.model_copy(update={"resamples": 100})
    return smaller(params(), trees=3).model_copy(
        update={"learning_curve": curve, "evaluation": evaluation}
    )


@pytest.fixture(scope="module")
def found() -> Iterator[Growth]:
    """What is found in this process, where imports are shared; but one stage has its own."""

    def run(job: Job) -> Taken:
        return in_a_process(job) if job.handler.endswith(".ingest") else alone.run(job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "params", quick)
        yield growth(300, run)


def test_every_stage_is_measured(found: Growth) -> None:
    assert found.rows == 300
    assert found.parts == 1
    assert all(found.cpu(one) > 0 and found.peak(one) > 10 for one in STAGES)
    assert all(found.written.values())
    assert found.scikit_learn > 0
    assert found.of("validate")[0].writes >= 2  # what it made, and its entry in the lineage


def test_a_process_of_its_own_starts_and_has_little_memory(found: Growth) -> None:
    (ingest,) = found.of("ingest")

    assert 0.05 < ingest.start < 30
    assert ingest.peak < found.of("validate")[0].peak  # which shares this process with the tests


def test_a_stage_that_fails_says_what_it_wrote(tmp_path: Path) -> None:
    job = Job(handler="retrain.stages.ingest.ingest", event={"execution": "x"}, folder=tmp_path)

    with pytest.raises(RuntimeError, match="KeyError: 'admitted'"):
        in_a_process(job)


def test_a_run_is_priced_by_transitions_requests_and_billed_time(found: Growth) -> None:
    longer = Growth(**{**vars(found), "taken": {k: v * 2 for k, v in found.taken.items()}})

    assert found.usd("score") > len(SCORE_STATES) * 25e-6
    assert found.usd("retrain") > len(RETRAIN_STATES) * 25e-6
    assert longer.usd("retrain") - found.usd("retrain") == pytest.approx(
        found.usd("retrain") - len(RETRAIN_STATES) * 25e-6
    )


@pytest.mark.parametrize(
    ("machine", "passed"), [("retrain", RETRAIN_STATES), ("score", SCORE_STATES)]
)
def test_the_states_that_are_paid_for_are_those_of_the_machine(
    machine: str, passed: tuple[str, ...]
) -> None:
    known = states(definition(machine))

    assert set(passed) <= set(known)
    assert len(set(passed)) == len(passed)


def test_it_warns_where_little_memory_is_to_spare(found: Growth) -> None:
    def with_a_peak_of(share: float) -> Growth:
        peak = int(share * memory("train") * 1024**2)
        taken = {
            handler: [one.model_copy(update={"peak": peak if "train." in handler else 1})]
            for handler, (one, *_) in found.taken.items()
        }
        return Growth(**{**vars(found), "taken": taken})

    assert not [one for one in warnings([with_a_peak_of(0.69)]) if one.startswith("train ")]
    (warning,) = [one for one in warnings([with_a_peak_of(0.71)]) if one.startswith("train ")]
    assert "less than 30% is to spare" in warning


def test_the_document_has_every_stage_and_artefact(found: Growth, tmp_path: Path) -> None:
    write([found, Growth(**{**vars(found), "rows": 3_000})], tmp_path)

    text = (tmp_path / "growth.md").read_text()
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert all(len({row.count("|") for row in one.splitlines()}) == 1 for one in tables)
    time, peak, artefacts, *_ = tables
    assert all(f"\n| `{one}` |" in time and f"\n| `{one}` |" in peak for one in STAGES)
    assert all(f"\n| `{one}` |" in artefacts for one in ARTEFACTS)


def test_the_drawing_has_every_stage_and_artefact_within_its_frame(
    found: Growth, tmp_path: Path
) -> None:
    write([found, Growth(**{**vars(found), "rows": 3_000})], tmp_path)

    svg = ET.parse(tmp_path / "growth.svg").getroot()  # noqa: S314 - which it just wrote
    names = [one.text for one in svg.iter() if one.get("class") == "name"]
    _, _, width, height = (float(one) for one in svg.attrib["viewBox"].split())
    dots = [one for one in svg.iter() if one.get("class") == "dot"]
    assert [one for one in names if one in STAGES] == [*STAGES, *STAGES]
    assert set(ARTEFACTS) <= set(names)
    assert all(0 < float(one.attrib["cx"]) < width for one in dots)
    assert all(0 < float(one.attrib["cy"]) < height for one in dots)


def test_what_was_measured_last_leaves_the_templates_functions_memory_to_spare() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| ([\d,]+) \| (\d+)% \|$", DOCUMENT.read_text(), re.MULTILINE
    )

    assert {name: int(size.replace(",", "")) for name, size, _ in rows} == {
        one: memory(one) for one in STAGES
    }
    assert all(int(spare) >= 100 * SPARE for _, _, spare in rows)
