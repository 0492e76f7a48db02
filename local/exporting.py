"""Pack a version with all that is kept about it into one archive, for an auditor: `make export`.

What holds patients' rows stays where it is: the archive has its digest and says why.
"""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

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
from local.scoring import check_writable, removed
from local.stack import Stack

README, SUMS = "README.txt", "SHA256SUMS"
PAGE, PARAMS = "change-control.html", "params.yaml"
LEDGER, PAGES, RETRAININGS, REPORTS = (
    "models/ledger/",
    "models/change-control/",
    "retrainings/",
    "monitor/",
)
# What is not packed, and why.
WITHHELD = {
    "model.joblib": (
        "the model as scikit-learn pickled it, which runs code when it is opened; what was judged "
        "and serves is model.onnx"
    ),
    "reference.json": "it holds rows of the training data, against which scores are explained",
    "population.json": "it holds the recorded outcomes of rows that were left out of fits",
}
SAYS = {
    PAGE: "the change-control page as of the last promotion, written for this archive",
    PARAMS: "the study's decisions as they are now",
    "manifest.json": "the version: its files with their digests, and its verdict",
    "model.onnx": "the model, in the form that serves",
    "training_rows.json": (
        "the training rows, each by the SHA-256 of its cells: no row is in it, but whoever has all "
        "cells of a row can tell whether it was trained on"
    ),
    "evaluation.json": "all that was found out about it on held-out rows and replayed requests",
    "lineage.json": "what each stage read and wrote, by digest",
    "card.json": "the model card",
    "card.md": "the model card to read; in the version's folder, with what became of it since",
    "report.html": "its TRIPOD+AI report, as it was published",
    "learning_curve.json": "whether more rows would help",
    "monitoring.json": "what became of it since it serves",
}
STEADY = (1980, 1, 1, 0, 0, 0)  # the first time that a zip knows
UNIX = 3  # whose modes the entries have

type Files = dict[str, tuple[bytes, str]]


@dataclass(frozen=True)
class Packed:
    """The files of an archive with what each is, and the digests of those that are not in it."""

    version: Version
    files: Files
    withheld: dict[str, str]
    found: History


def export(stack: Stack, name: str | None, out: Path | None, console: Console) -> None:
    """Write the archive of a version: whole, or none at all.

    name: the version; None for the champion. out: where to; None for <version>.zip in .local, and
    in the study's folder there. Raises CloudFailed where there is no such version, or a file of it
    is not what was published.
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
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with removed(beside):
            write(beside, packed)
            beside.replace(path)
    except OSError as error:
        raise CloudFailed(f"{path} cannot be written: {error.strerror or error}") from error
    console.print(
        f"[bold]{escape(str(path))}[/] has {len(packed.files):,} files about {version}. Unpacked, "
        f"`sha256sum -c {SUMS}` checks them; {README} says what each is."
    )
    for key in packed.withheld:
        console.print(f"• Not in it: {escape(key)}: {WITHHELD[key.rpartition('/')[2]]}.")


def serving(bucket: Bucket) -> str:
    """Name the version that serves; raises CloudFailed where none does."""
    try:
        pointer = Registry(bucket).champion()
    except ArtefactCorrupted as error:
        raise CloudFailed(f"nothing was exported: {error}") from error
    if pointer is None:
        raise CloudFailed("no model was promoted yet; `make retrain` trains one")
    return pointer.champion.version


def packed_of(bucket: Bucket, name: str, decided: bytes, decisions: Params) -> Packed:
    """Collect a version's archive, each file of it checked by its digest or its seal.

    decided: the study's file as it is now. Raises VersionUnknown, ArtefactMissing,
    ArtefactCorrupted.
    """
    version = Registry(bucket).verified(name)
    found = history(bucket)
    serves = [one.entry for one in found.changes if one.entry.version == name]
    withheld = dict(_withheld(bucket, version))
    files: Files = {}
    for part in (
        _of_the_version(bucket, version, withheld),
        _sealed(bucket, LEDGER, "a promotion, as the pointer had it"),
        _sealed(bucket, RETRAININGS, "why a retraining began by itself"),
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
        yield key, (body, SAYS.get(name_of(key), "of the version"))


def _sealed(bucket: Bucket, folder: str, says: str) -> Part:
    for key in bucket.keys(folder, ".json"):
        body = bucket.get(key).body
        unsealed_json(key, body)
        yield key, (body, says)


def _reports(bucket: Bucket, name: str) -> Part:
    for key, (body, says) in _sealed(bucket, REPORTS, "what a run of the monitor found of it"):
        if Monitored.model_validate(unsealed_json(key, body)).model_version == name:
            yield key, (body, says)


def _approvals(bucket: Bucket, name: str) -> Part:
    """Give what was asked for without its token, so that the seal is not what it was, and why."""
    asked = Approvals(bucket)
    for execution in asked.executions():
        waiting = asked.asked(execution)
        if waiting is None or waiting.version != name:
            continue
        told = canonical_json(waiting.model_dump(mode="json", exclude={"token"}))
        yield (
            f"{approvals.FOLDER}{execution}.json",
            (told, "why somebody had to approve of it; without the token, and so without its seal"),
        )
        key = f"{approvals.FOLDER}{execution}/{approvals.DECISION}"
        if asked.decision(execution):
            yield key, (bucket.get(key).body, "who decided, what and why")


def _pages(bucket: Bucket, serves: list[Champion]) -> Part:
    for key in bucket.keys(PAGES, ".html"):
        if key in {f"{PAGES}{one.sequence:06}.html" for one in serves}:
            yield key, (bucket.get(key).body, "the change-control page as of a promotion of it")


def _runs(bucket: Bucket, version: Version, serves: list[Champion]) -> Part:
    """Give the lineage of each execution that made or promoted it."""
    for execution in sorted({version.execution, *(one.promotion.execution for one in serves)}):
        for key in bucket.keys(f"runs/{execution}/lineage.json", ""):
            yield key, (without_tokens(bucket.get(key).body), SAYS["lineage.json"])


def without_tokens(lineage: bytes) -> bytes:
    """Leave out what wakes an execution: where there is none, the bytes are what they were."""
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
    """Give the manifests of the days on which it served: digests and counts."""
    served = list(_served(found, name))
    for day in Captures(bucket).days():
        if any(since <= day and (until is None or day <= until) for since, until in served):
            key = f"{captures.FOLDER}/{day}/manifest.json"
            body = bucket.get(key).body
            unsealed_json(key, body)
            yield key, (body, "what was captured that day: digests and counts of predictions")


def _served(found: History, name: str) -> Iterator[tuple[date, date | None]]:
    until: date | None = None
    for change in found.changes:
        if change.entry.version == name:
            yield change.entry.promoted_at.date(), until
        until = change.entry.promoted_at.date()


def _said_of_params(version: Version, bucket: Bucket, decisions: Params) -> str:
    """Say whether the study's decisions are still those that the version was made under."""
    lineage = json.loads(read_verified(bucket, version.files["lineage.json"]))
    same = lineage.get("params_sha256") == decisions.pipeline_digest
    return f"{SAYS[PARAMS]}; " + (
        "of what can change a model, they are those that it was made under"
        if same
        else "it was made under others: their digest is params_sha256 in its lineage.json"
    )


def _check_for_tokens(bucket: Bucket, files: Files) -> None:
    """Raise CloudFailed where anything in the archive could wake an execution."""
    asked = Approvals(bucket)
    waiting = filter(None, map(asked.asked, asked.executions()))
    tokens = [one.token.encode() for one in waiting]
    for key, (body, _) in files.items():
        if any(token in body for token in tokens):
            raise CloudFailed(f"nothing was exported: {key} has the token of an approval in it")


def write(path: Path, packed: Packed) -> None:
    """Write an archive: the same bytes for the same files, whenever and wherever it is made."""
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
    """Say what is in an archive, and what is not."""
    version, last = packed.version, packed.found.last
    told = {key: says for key, (_, says) in packed.files.items()}
    told |= {README: "what you are reading", SUMS: "the SHA-256 of every other file"}
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
            f"What is kept about this version, {as_of}. Paths are those in the bucket",
            f"of artefacts, but for {PAGE}, {PARAMS} and what says what is here.",
            "To check every file:",
            "",
            f"    sha256sum -c {SUMS}",
            "",
            "The digests of the version's own files stand in its manifest.json, too. What is",
            f"sealed carries the SHA-256 of the rest of it as `{SEAL}`: the manifest, the annexes,",
            "the ledger, decisions, reports and manifests of captures.",
            "",
            "No file here has an identifier of a patient, a captured request, an outcome of one,",
            "or a row of data.",
            "",
            "What is here",
            "",
            *here,
            "",
            "What is not here",
            "",
            *(missing or ["Nothing of the version is left out."]),
            "",
        )
    )


def name_of(key: str) -> str:
    return key.rpartition("/")[2]
