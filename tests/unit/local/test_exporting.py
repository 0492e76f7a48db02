"""`make export`: an archive whose every file is listed with its digest, and which has no row."""

import json
import subprocess
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from clinical.artefacts import sealed_json, sha256
from clinical.boto3_bucket import Boto3Bucket
from clinical.captures import Captures, Entry
from clinical.monitored import MONITORING, Monitoring
from clinical.reference import Reference
from clinical.registry import Champion, Registry
from rich.console import Console

from local import exporting
from local.cloud import CloudFailed
from local.studies import study_of
from tests.monitored import a_life, nothing
from tests.unit.conftest import NOW, Candidate
from tests.unit.pipeline.change_control.made import APPROVAL, TOKEN, asked

EXECUTION = "execution-1"


@pytest.fixture
def champion(
    bucket: Boto3Bucket,
    registry: Registry,
    promote: Callable[[Candidate], Champion],
    candidate: Candidate,
    challenger: Candidate,
) -> Champion:
    """The first of two versions serves again; all is there that there can be about it."""
    first = promote(candidate)
    second = promote(challenger)
    champion = promote(candidate)
    registry.revise(first.version, MONITORING, Monitoring, lambda _: a_life())
    for name, day in ((first.version, "2026-11-25"), (second.version, "2026-11-24")):
        report = nothing().model_copy(update={"model_version": name})
        bucket.put(f"monitor/{day}.json", sealed_json(report))
    asked(bucket, EXECUTION, first.version, APPROVAL)
    asked(bucket, "execution-2", second.version, APPROVAL)
    lineage = {"params_sha256": "0", "stages": {"request_approval": {"inputs": {"token": TOKEN}}}}
    bucket.put(f"runs/{EXECUTION}/lineage.json", json.dumps(lineage).encode())
    bucket.put("models/change-control/000001.html", b"<p>As of the first.</p>")
    bucket.put("models/change-control/000002.html", b"<p>As of the second.</p>")
    for days in (0, -3):
        captured(bucket, NOW + timedelta(days=days))
    return champion


def captured(bucket: Boto3Bucket, at: datetime) -> None:
    """Write a day's captures, whose lines are no business of an auditor's."""
    key, body = f"captures/{at.date()}/requests.jsonl.gz", b"lines of predictions"
    bucket.put(key, body)
    entry = Entry(key=key, sha256=sha256(body), predictions=7)
    Captures(bucket).enter(at.date(), {"requests": entry})


def stack(folder: Path) -> Any:
    return SimpleNamespace(
        s3=boto3.client("s3"),
        folder=folder,
        study=study_of(None),
        outputs=SimpleNamespace(artifacts_bucket="artifacts"),
    )


def exported(folder: Path, name: str | None = None, out: Path | None = None) -> str:
    console = Console(width=200, no_color=True, soft_wrap=True)
    with console.capture() as captured_text:
        exporting.export(stack(folder), name, out, console)
    return captured_text.get()


def unpacked(folder: Path, champion: Champion) -> Path:
    exported(folder)
    with zipfile.ZipFile(folder / f"{champion.version}.zip") as archive:
        archive.extractall(folder / "there")
    return folder / "there" / champion.version


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_sha256sum_finds_every_file_as_it_is_listed_and_no_other(
    tmp_path: Path, champion: Champion
) -> None:
    there = unpacked(tmp_path, champion)

    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"],
        cwd=there,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    listed = {line.split("  ", 1)[1] for line in (there / "SHA256SUMS").read_text().splitlines()}
    assert listed == files_in(there) - {"SHA256SUMS"}


def test_it_has_all_that_is_kept_about_the_version_and_about_no_other(
    tmp_path: Path, champion: Champion
) -> None:
    name = champion.version

    found = files_in(unpacked(tmp_path, champion))

    assert found == {
        *("README.txt", "SHA256SUMS", "params.yaml", "change-control.html"),
        *(
            f"models/{name}/{file}"
            for file in ("manifest.json", "model.onnx", "training_rows.json")
        ),
        *(f"models/{name}/{EXECUTION}/{file}" for file in ("card.json", "card.md", "report.html")),
        *(f"models/{name}/{EXECUTION}/{file}" for file in ("evaluation.json", "lineage.json")),
        f"models/{name}/monitoring.json",
        *(f"models/ledger/00000{sequence}.json" for sequence in (1, 2, 3)),
        "models/change-control/000001.html",
        "monitor/2026-11-25.json",
        *(f"approvals/{EXECUTION}.json", f"approvals/{EXECUTION}/decision.json"),
        f"runs/{EXECUTION}/lineage.json",
        f"captures/{NOW.date()}/manifest.json",
    }


def test_what_is_in_it_is_what_the_manifest_says(tmp_path: Path, champion: Champion) -> None:
    there = unpacked(tmp_path, champion)

    packed = {file.key: file.sha256 for file in champion.files.values()}
    for key in files_in(there) & set(packed):
        assert sha256((there / key).read_bytes()) == packed[key]
    readme = (there / "README.txt").read_text()
    for name in ("model.joblib", "reference.json"):
        assert f"{champion.files[name].key}, SHA-256 {champion.files[name].sha256}" in readme


def test_the_readme_says_what_each_file_is(tmp_path: Path, champion: Champion) -> None:
    there = unpacked(tmp_path, champion)

    lines = (there / "README.txt").read_text().splitlines()
    for key in files_in(there):
        assert lines[lines.index(key) + 1].strip(), key
    assert max(map(len, lines)) < 240


def test_nothing_of_it_names_a_patient_a_row_an_outcome_or_a_token(
    tmp_path: Path, champion: Champion, candidate: Candidate
) -> None:
    there = unpacked(tmp_path, champion)

    reference = Reference.model_validate_json(candidate.files["reference.json"])
    assert reference.background
    assert candidate.population.left_out
    for path in there.rglob("*"):
        body = path.read_bytes() if path.is_file() else b""
        assert TOKEN.encode() not in body, path
        assert b'"background": [' not in body, path
        assert b'"recorded": [' not in body, path  # of population.json
        assert b"lines of predictions" not in body, path
        assert b"P0001" not in body.replace((there / "params.yaml").read_bytes(), b""), path


def test_the_same_is_the_same_archive_wherever_it_is_written(
    tmp_path: Path, champion: Champion
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        exported(tmp_path / name)

    one, two = (tmp_path / name / f"{champion.version}.zip" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_it_goes_where_somebody_wants_it_and_is_of_the_version_named(
    tmp_path: Path, champion: Champion, registry: Registry
) -> None:
    (other,) = {one.version for one in registry.versions()} - {champion.version}
    out = tmp_path / "audit.zip"

    told = exported(tmp_path, other, out)

    assert told.startswith(f"{out} has ")
    assert "Not included: models/" in told
    with zipfile.ZipFile(out) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {other}


@pytest.mark.parametrize("file", ["model.onnx", "reference.json", "card.md"])
def test_a_damaged_file_stops_it_and_is_named(
    tmp_path: Path, champion: Champion, bucket: Boto3Bucket, file: str
) -> None:
    bucket.put(champion.files[file].key, b"damaged")

    with pytest.raises(CloudFailed, match=f"nothing was exported: s3.*{file} has the SHA-256"):
        exported(tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "key",
    ["models/ledger/000001.json", "monitor/2026-11-25.json", "models/{version}/monitoring.json"],
)
def test_what_is_sealed_and_was_altered_stops_it_and_is_named(
    tmp_path: Path, champion: Champion, bucket: Boto3Bucket, key: str
) -> None:
    key = key.format(version=champion.version)
    altered = json.loads(bucket.get(key).body) | {"execution": "of somebody else"}
    bucket.put(key, json.dumps(altered).encode())

    with pytest.raises(CloudFailed, match=f"nothing was exported: {key} was altered"):
        exported(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_token_in_any_file_stops_it(
    tmp_path: Path, champion: Champion, bucket: Boto3Bucket
) -> None:
    bucket.put("models/change-control/000001.html", TOKEN.encode())

    with pytest.raises(CloudFailed, match=r"000001\.html contains the token of an approval"):
        exported(tmp_path)


def test_a_version_that_nobody_published_is_told(tmp_path: Path, champion: Champion) -> None:
    with pytest.raises(CloudFailed, match="the registry has no version v-00000000"):
        exported(tmp_path, "v-00000000")


def test_without_a_champion_there_is_nothing_to_export(tmp_path: Path, bucket: Boto3Bucket) -> None:
    with pytest.raises(CloudFailed, match="no model has been promoted yet"):
        exported(tmp_path)


def test_where_it_cannot_be_written_nothing_is_left(
    tmp_path: Path, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)

    with pytest.raises(CloudFailed, match="cannot be written: No space left on device"):
        exported(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(CloudFailed, match=r"the folder \S+ does not exist"):
        exported(tmp_path, "v-00000000", tmp_path / "no" / "audit.zip")
