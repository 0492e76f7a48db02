"""Every CSV of the issue's cases, with what is right for it; f06 is the gate's to judge."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clinical.artefacts import Artefact, Artefacts, Bucket, read_verified
from clinical.errors import DatasetRejected, DatasetUnreadable
from clinical.params import params
from clinical.registry import version_name
from reading import check_readable
from retrain.stages.validate import validate

from tests.pipeline import Context, lines_of
from tests.unit.pipeline.conftest import Retrained

type Upload = Callable[[bytes], str]

NINE = "9 column names matched regardless of case, blanks and punctuation."
BY_NAME = "Columns read by name, because their order differs from the contract's."
THREE = (
    "3 columns ignored: the 3rd (`Age Group`), the 6th (`Hypertension`) "
    "and the 10th (`duration group`)."
)
ACCEPTED = {
    "a01_bom_crlf": [],
    "a02_quote_all": [],
    "b01_pandas_index": ["1 column ignored: the 1st."],
    "b03_reordered": [BY_NAME],
    "b04_lower_headers": [NINE],
    "b07_extra_columns_excel": [BY_NAME, THREE],
    "c01_semicolon": ["Read as semicolon-separated."],
    "c03_sep_line": ["Read as semicolon-separated, as declared in row 1 (sep=)."],
    "c05_utf16_excel_unicode_text": ["Read as UTF-16.", "Read as tab-separated."],
    "d01_cells_trailing_space": ["Blanks around cells ignored in `Gender`."],
    "d04_excel_empty_rows": ["5 empty rows ignored."],
}
UNREADABLE = {
    "d05_title_row": "the header is in row 2; row 1 looks like a title",
    "f05_stray_quote": "in row 21, a quote is opened and never closed",
}
REJECTED = {
    "e04_side_effect_blank": ("missing", "Side_Effects", 16),
    "e07_age_NA": ("missing", "Age", 16),
    "f07_constant_score": ("no_variation", "Improvement_Score", 160),
}
OF_THE_GATE = {"f06_one_condition"}


@pytest.fixture
def validated(bucket: Bucket, cases: Path) -> Callable[[str], dict[str, Any]]:
    """Take a case in, and give what `validate` makes of it."""

    def of_a_case(name: str) -> dict[str, Any]:
        key, body = f"raw/{name}.csv", (cases / "csv" / f"{name}.csv").read_bytes()
        check_readable(key, body, params())
        dataset = Artefacts(bucket, f"runs/{name}/ingest").write("dataset.csv", body)
        ingested = {"dataset": dataset.model_dump(), "source": {"key": key, "version_id": "1"}}
        return validate({"execution": name, "ingested": ingested}, Context())  # type: ignore[arg-type]

    return of_a_case


def test_every_case_is_here(cases: Path) -> None:
    assert {path.stem for path in (cases / "csv").iterdir()} == {
        *ACCEPTED,
        *UNREADABLE,
        *REJECTED,
        *OF_THE_GATE,
    }


@pytest.mark.parametrize(("name", "notes"), ACCEPTED.items())
def test_what_can_be_read_is_the_same_rows_and_every_leniency_is_told(
    validated: Callable[[str], dict[str, Any]],
    bucket: Bucket,
    sample: Path,
    name: str,
    notes: list[str],
) -> None:
    came_to = validated(name)

    _, *rows = lines_of(read_verified(bucket, Artefact(**came_to["dataset"])))
    _, *of_the_sample = sample.read_text().splitlines()
    assert rows == [row.partition(",")[2] for row in of_the_sample[:160]]
    assert (came_to["rows"], came_to["notes"]) == (160, notes)


@pytest.mark.parametrize(("name", "cause"), UNREADABLE.items())
def test_what_cannot_be_read_is_refused_with_its_cause(
    validated: Callable[[str], dict[str, Any]], name: str, cause: str
) -> None:
    with pytest.raises(DatasetUnreadable, match=cause.replace("(", r"\(")):
        validated(name)


@pytest.mark.parametrize(("name", "broken"), REJECTED.items())
def test_what_breaks_the_contract_is_rejected_by_the_rule(
    validated: Callable[[str], dict[str, Any]], name: str, broken: tuple[str, str, int]
) -> None:
    with pytest.raises(DatasetRejected) as refused:
        validated(name)

    (violation,) = json.loads(str(refused.value))["violations"]
    assert (violation["rule"], violation["column"], violation["count"]) == broken


@pytest.mark.usefixtures("few_trees")
def test_the_same_rows_in_other_bytes_are_the_same_version(
    bucket: Bucket,
    upload: Upload,
    retrain: Callable[[str], dict[str, Any]],
    cases: Path,
    sample: Path,
) -> None:
    plain = sample.read_text().splitlines()[:161]
    bodies = {
        "plain": "\n".join([*plain, ""]).encode(),
        "a01": (cases / "csv" / "a01_bom_crlf.csv").read_bytes(),
        "a02": (cases / "csv" / "a02_quote_all.csv").read_bytes(),
        "otherwise": "\n\n".join(plain).replace("S0", "T0").replace(",50,", ",50.0,").encode(),
    }

    versions = set()
    for execution, body in bodies.items():
        upload(body)
        onnx = Artefact(**retrain(execution)["trained"]["onnx"])
        versions.add(version_name(read_verified(bucket, onnx)))

    assert len(set(bodies.values())) == 4
    assert len(versions) == 1


@pytest.mark.usefixtures("few_trees")
def test_how_rows_were_written_computes_nothing_anew(
    bucket: Bucket,
    upload: Upload,
    retrain: Callable[[str], dict[str, Any]],
    retrained: Retrained,
    sample: Path,
) -> None:
    retrained(sample.read_bytes())
    upload(sample.read_bytes().replace(b",", b";"))

    came_to = retrain("two")

    stages = json.loads(bucket.get("runs/two/lineage.json").body)["stages"]
    assert came_to["validated"]["notes"] == ["Read as semicolon-separated."]
    assert {
        name: stages[name]["from_cache_of"] for name in ("validate", "preprocess", "train")
    } == {
        "validate": None,
        "preprocess": "one",
        "train": "one",
    }


@pytest.mark.usefixtures("few_trees")
def test_rows_in_another_order_are_another_version(
    upload: Upload, retrain: Callable[[str], dict[str, Any]], retrained: Retrained, sample: Path
) -> None:
    header, *rows = sample.read_text().splitlines()
    one = retrained(sample.read_bytes())
    upload("\n".join([header, *rows[::-1]]).encode())

    two = retrain("two")

    assert one["trained"]["onnx"]["sha256"] != two["trained"]["onnx"]["sha256"]
