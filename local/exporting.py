"""Pack a version with all records about it into one archive, for an auditor: `make export`.

Files with rows of patients are not included: the archive has their digests and the reasons.
"""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from change_control import History, history, render
from clinical import approvals, captures
from clinical.approvals import Approvals
from clinical.artefacts import (
    SEAL,
    Bucket,
    canonical_json,
    read_verified,
    sha256,
    unsealed_json,
)
from clinical.boto3_bucket import Boto3Bucket
from clinical.captures import Captures
from clinical.errors import ArtefactCorrupted, ClinicalError
from clinical.monitored import Monitored
from clinical.params import Params, params
from clinical.registry import Champion, Registry, Version
from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape

from local.cloud import CloudFailed
from local.files import beside, check_writable
from local.stack import Stack

README, SUMS = "README.txt", "SHA256SUMS"
PAGE, PARAMS = "change-control.html", "params.yaml"
LEDGER, PAGES, RETRAININGS, REPORTS = (
    "models/ledger/",
    "models/change-control/",
    "retrainings/",
    "monitor/",
)
# Files that are not included, and why.
WITHHELD = {
    "model.joblib": (
        "the model as a scikit-learn pickle, which runs code when it is opened; the model that was "
        "evaluated and serves is model.onnx"
    ),
    "reference.json": "it has rows of the training data, which explanations need",
    "population.json": "it has the recorded outcomes of training rows, used in cross-validation",
}
SAYS = {
    PAGE: "the change-control page as of the last promotion, written for this archive",
    PARAMS: "the study's params.yaml as it is now",
    "manifest.json": "the version: its files with their digests, and its verdict",
    "model.onnx": "the model, in the format that serves",
    "training_rows.json": (
        "the SHA-256 of each training row's cells: it has no rows, but anyone who has all cells of "
        "a row can check whether the model was trained on it"
    ),
    "evaluation.json": "its evaluation on held-out rows and replayed requests",
    "lineage.json": "the inputs and outputs of each stage, by digest",
    "card.json": "the model card",
    "card.md": "the model card for people; in the version's folder, with its monitoring",
    "report.html": "its TRIPOD+AI report, as published",
    "learning_curve.json": "whether more rows would help",
    "monitoring.json": "its monitoring since it was promoted",
}
STEADY = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip
UNIX = 3  # the system of the entries' modes

type Files = dict[str, tuple[bytes, str]]


@dataclass(frozen=True)
class Packed:
    """The files of an archive with their descriptions, and the digests of those left out."""

    version: Version
    files: Files
    withheld: dict[str, str]
    found: History


def export(stack: Stack, name: str | None, out: Path | None, console: Console) -> None:
    """Write the archive of a version, completely or not at all.

    name: the version; None for the champion. out: the path; None for <version>.zip in .local, or
    in the study's folder there. Raises CloudFailed if there is no such version, or one of its files
    has changed since it was published.
    """
    bucket = Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket)
    version = name or serving(bucket)
    path = out or stack.folder / f"{version}.zip"
    check_writable(path, f"{version}.zip")
    try:
        with console.status(f"Checking and packing {escape(version)}"):
            packed = packed_of(bucket, version, stack.study.params_path.read_bytes(), params())
    except ClinicalError as error:
        raise CloudFailed(f"nothing was exported: {error}") from error
    try:
        with beside(path) as new:
            write(new, packed)
            new.replace(path)
    except OSError as error:
        raise CloudFailed(f"{path} cannot be written: {error.strerror or error}") from error
    console.print(
        f"[bold]{escape(str(path))}[/] has {len(packed.files):,} files about {version}. Unpack it "
        f"and run `sha256sum -c {SUMS}` to verify them; {README} describes each file."
    )
    for key in packed.withheld:
        console.print(f"• Not included: {escape(key)}: {WITHHELD[key.rpartition('/')[2]]}.")


def serving(bucket: Bucket) -> str:
    """Return the champion's version; raises CloudFailed if there is no champion."""
    try:
        pointer = Registry(bucket).champion()
    except ArtefactCorrupted as error:
        raise CloudFailed(f"nothing was exported: {error}") from error
    if pointer is None:
        raise CloudFailed("no model has been promoted yet; run `make retrain` to train one")
    return pointer.champion.version


def packed_of(bucket: Bucket, name: str, decided: bytes, decisions: Params) -> Packed:
    """Collect a version's archive; each file is verified by its digest or its seal.

    decided: the study's params.yaml as it is now. Raises VersionUnknown, ArtefactMissing,
    ArtefactCorrupted.
    """
    version = Registry(bucket).verified(name)
    found = history(bucket)
    serves = [one.entry for one in found.changes if one.entry.version == name]
    withheld = dict(_withheld(bucket, version))
    files: Files = {}
    for part in (
        _of_the_version(bucket, version, withheld),
        _sealed(bucket, LEDGER, "a promotion, as in the pointer"),
        _sealed(bucket, RETRAININGS, "why an automatic retraining started"),
        _reports(bucket, name),
        _approvals(bucket, name),
        _pages(bucket, serves),
        _runs(bucket, version, serves),
        _captures(bucket, found, name),
    ):
        files.update(part)
    files[PARAMS] = decided, _said_of_params(version, bucket, decisions)
    files[PAGE] = render(found, decisions).encode(), SAYS[PAGE]
    _check_for_tokens(bucket, files)
    return Packed(version, dict(sorted(files.items())), withheld, found)


def _withheld(bucket: Bucket, version: Version) -> Iterator[tuple[str, str]]:
    for key in bucket.keys(f"models/{version.version}/", ""):
        if name_of(key) in WITHHELD:
            yield key, sha256(bucket.get(key).body)


type Part = Iterator[tuple[str, tuple[bytes, str]]]


def _of_the_version(bucket: Bucket, version: Version, withheld: dict[str, str]) -> Part:
    listed = {one.key: one for one in version.files.values()}
    for key in bucket.keys(f"models/{version.version}/", ""):
        if key in withheld:
            continue
        body = read_verified(bucket, listed[key]) if key in listed else bucket.get(key).body
        if key not in listed and key.endswith(".json"):
            unsealed_json(key, body)
        yield key, (body, SAYS.get(name_of(key), "a file of the version"))


def _sealed(bucket: Bucket, folder: str, says: str) -> Part:
    for key in bucket.keys(folder, ".json"):
        body = bucket.get(key).body
        unsealed_json(key, body)
        yield key, (body, says)


def _reports(bucket: Bucket, name: str) -> Part:
    for key, (body, says) in _sealed(bucket, REPORTS, "a report of the monitor on the version"):
        if Monitored.model_validate(unsealed_json(key, body)).model_version == name:
            yield key, (body, says)


def _approvals(bucket: Bucket, name: str) -> Part:
    """Yield decisions and requests for approval; these without tokens, and so without seals."""
    asked = Approvals(bucket)
    for execution in asked.executions():
        waiting = asked.asked(execution)
        if waiting is None or waiting.version != name:
            continue
        told = canonical_json(waiting.model_dump(mode="json", exclude={"token"}))
        yield (
            f"{approvals.FOLDER}{execution}.json",
            (told, "why approval was required; without the token, and therefore without its seal"),
        )
        key = f"{approvals.FOLDER}{execution}/{approvals.DECISION}"
        if asked.decision(execution):
            yield key, (bucket.get(key).body, "the decision, by whom and why")


def _pages(bucket: Bucket, serves: list[Champion]) -> Part:
    for key in bucket.keys(PAGES, ".html"):
        if key in {f"{PAGES}{one.sequence:06}.html" for one in serves}:
            yield (
                key,
                (bucket.get(key).body, "the change-control page as of a promotion of the version"),
            )


def _runs(bucket: Bucket, version: Version, serves: list[Champion]) -> Part:
    """Yield the lineage of each execution that created or promoted the version."""
    for execution in sorted({version.execution, *(one.promotion.execution for one in serves)}):
        for key in bucket.keys(f"runs/{execution}/lineage.json", ""):
            yield key, (without_tokens(bucket.get(key).body), SAYS["lineage.json"])


def without_tokens(lineage: bytes) -> bytes:
    """Remove tokens, which resume an execution; without any, the bytes are unchanged."""
    found = json.loads(lineage)
    left = _without_tokens(found)
    return lineage if left == found else canonical_json(left)


def _without_tokens(part: JsonValue) -> JsonValue:
    match part:
        case dict():
            return {key: _without_tokens(one) for key, one in part.items() if key != "token"}
        case list():
            return [_without_tokens(one) for one in part]
    return part


def _captures(bucket: Bucket, found: History, name: str) -> Part:
    """Yield the manifests of the days on which the version served: digests and counts."""
    served = list(_served(found, name))
    for day in Captures(bucket).days():
        if any(since <= day and (until is None or day <= until) for since, until in served):
            key = f"{captures.FOLDER}/{day}/manifest.json"
            body = bucket.get(key).body
            unsealed_json(key, body)
            yield key, (body, "the predictions captured on that day: digests and counts")


def _served(found: History, name: str) -> Iterator[tuple[date, date | None]]:
    until: date | None = None
    for change in found.changes:
        if change.entry.version == name:
            yield change.entry.promoted_at.date(), until
        until = change.entry.promoted_at.date()


def _said_of_params(version: Version, bucket: Bucket, decisions: Params) -> str:
    """Say whether the study's params.yaml is still the one that the version was trained with."""
    lineage = json.loads(read_verified(bucket, version.files["lineage.json"]))
    same = lineage.get("params_sha256") == decisions.pipeline_digest
    return f"{SAYS[PARAMS]}; " + (
        "everything in it that can change a model is the same as when the version was trained"
        if same
        else "the version was trained with another, whose digest is params_sha256 in lineage.json"
    )


def _check_for_tokens(bucket: Bucket, files: Files) -> None:
    """Raise CloudFailed if anything in the archive could resume an execution."""
    asked = Approvals(bucket)
    waiting = filter(None, map(asked.asked, asked.executions()))
    tokens = [one.token.encode() for one in waiting]
    for key, (body, _) in files.items():
        if any(token in body for token in tokens):
            raise CloudFailed(f"nothing was exported: {key} contains the token of an approval")


def write(path: Path, packed: Packed) -> None:
    """Write an archive: the same bytes for the same files, at any time and place."""
    files = {key: body for key, (body, _) in packed.files.items()}
    files[README] = readme(packed).encode()
    sums = (f"{sha256(files[key])}  {key}\n" for key in sorted(files))
    files[SUMS] = "".join(sums).encode()
    with zipfile.ZipFile(path, "x") as archive:
        for key in sorted(files):
            entry = zipfile.ZipInfo(f"{packed.version.version}/{key}", STEADY)
            entry.create_system, entry.external_attr = UNIX, 0o644 << 16
            archive.writestr(entry, files[key], zipfile.ZIP_DEFLATED)


def readme(packed: Packed) -> str:
    """Return the text that describes an archive's files, and those left out."""
    version, last = packed.version, packed.found.last
    told = {key: says for key, (_, says) in packed.files.items()}
    told |= {README: "this file", SUMS: "the SHA-256 of every other file"}
    here = [f"{key}\n    {told[key]}" for key in sorted(told)]
    missing = [
        f"{key}, SHA-256 {digest}\n    {WITHHELD[name_of(key)]}"
        for key, digest in packed.withheld.items()
    ]
    as_of = f"as of promotion {last.entry.sequence}" if last else "before any promotion"
    return "\n".join(
        (
            f"{version.version}, published {version.published_at:%Y-%m-%d %H:%M} UTC by execution",
            f"{version.execution}.",
            "",
            f"The records about this version, {as_of}. Paths are those in the artefacts",
            f"bucket, except for {PAGE}, {PARAMS}, {README} and {SUMS}.",
            "To verify every file:",
            "",
            f"    sha256sum -c {SUMS}",
            "",
            "The version's manifest.json also has the digests of its own files. Sealed files have",
            f"the SHA-256 of their other contents as `{SEAL}`: the manifest, the annexes, the",
            "ledger, decisions, reports and manifests of captures.",
            "",
            "No file in this archive contains a patient identifier, a captured request, its",
            "outcome, or a row of data.",
            "",
            "Included",
            "",
            *here,
            "",
            "Not included",
            "",
            *(missing or ["Every file of the version is included."]),
            "",
        )
    )


def name_of(key: str) -> str:
    return key.rpartition("/")[2]
