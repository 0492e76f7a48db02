"""Requests of every kind to the drug study's API, and what it answered before studies were files.

`recorded.json` was written once, by the release before: it is history, and nothing writes it anew.
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).with_name("recorded.json")
ROOT = Path(__file__).parent.parent.parent.parent
# What is made of decisions and code, and so is another with each release.
NAMES = re.compile(r"v-[0-9a-f]{8}|[0-9a-f]{64}")
NUMBERS = ("Age", "Dosage_mg", "Treatment_Duration_days")
# Sentences for people that were reworded since; what programs read stays as it was.
REWORDED = {
    "Input should be one JSON object, not": "Input should be a single JSON object, not",
    "for many, use /predict/batch": "for several patients, use POST /predict/batch",
    "GET /dropdown-values lists the valid_combinations": (
        "see valid_combinations in GET /dropdown-values"
    ),
    "Send the body as application/json, not as text/plain.": (
        "Content-Type text/plain is not supported; send application/json."
    ),
    "The body holds the key Age twice; send it once.": (
        "The request body has the key Age more than once; send each key once."
    ),
    "The body is empty;": "The request body is empty;",
    "The body is larger than 65,536": "The request body is larger than the limit of 65,536",
    "The body is not valid JSON:": "The request body is not valid JSON:",
    "There is nothing at this path for this method;": "No route matches this method and path;",
    "no diagnosis and no treatment advice": "not a diagnosis and not treatment advice",
}


def recorded_patients() -> list[dict[str, Any]]:
    with (ROOT / "data/sample.csv").open(encoding="utf-8") as file:
        rows: list[dict[str, Any]] = [dict(row) for row in csv.DictReader(file)]
    for row in rows:
        del row["Improvement_Score"]
        row.update({name: int(row[name]) for name in NUMBERS})
    return rows


def requests() -> Iterator[tuple[str, str, str, Any, dict[str, Any]]]:
    """Give function, method, path, body and what else the event has."""
    patients = recorded_patients()
    one = patients[0]
    for patient in patients[:12]:
        yield "predict", "POST", "/predict", patient, {}
    for patient in patients[12:15]:
        asked = {"multiValueQueryStringParameters": {"explain": ["true"]}}
        yield "predict", "POST", "/predict", patient, asked
    wrong: list[Any] = [
        *({name: value for name, value in one.items() if name != left_out} for left_out in one),
        *({**one, name: None} for name in one),
        *({**one, name: 1e9} for name in one),
        *({**one, name: "Nobody"} for name in one),
        *({**one, name: True} for name in one),
        {**one, "Age": 17},
        {**one, "Age": 56.5},
        {**one, "Dosage_mg": 51},
        {**one, "Dosage_mg": 50.0},
        {**one, "Age": 56.0},
        {**one, "Patient_ID": ""},
        {**one, "Patient_ID": "x" * 65},
        {**one, "Side_Effects": "Weight gain", "Drug_Name": "Losartan"},
        {**one, "Gender": "male", "Weight": 80},
        {},
        [one],
        "a string",
        "{",
        "",
        '{"Age": 1, "Age": 2}',
    ]
    for body in wrong:
        yield "predict", "POST", "/predict", body, {}
    batch = {"patients": [*patients[:5], *wrong[:4], wrong[-8], 7, None]}
    yield "predict", "POST", "/predict/batch", batch, {}
    yield "predict", "POST", "/predict/batch", {"patients": []}, {}
    yield "predict", "POST", "/predict/batch", {"patients": [one] * 1001}, {}
    yield "predict", "POST", "/predict/batch", one, {}
    for path in ("/health", "/model", "/openapi.json", "/nothing"):
        yield "predict", "GET", path, None, {}
    yield "predict", "HEAD", "/health", None, {}
    yield "predict", "OPTIONS", "/predict", None, {"headers": {"Origin": "http://site.example"}}
    as_text = {"headers": {"Content-Type": "text/plain"}}
    yield "predict", "POST", "/predict", one, as_text
    yield "predict", "POST", "/predict", " " * 70_000, {}
    yield "dropdown", "GET", "/dropdown-values", None, {}
    yield "dropdown", "HEAD", "/dropdown-values", None, {}


def as_recorded(text: str) -> str:
    """Write an answer's body without the names that change with each release."""
    return NAMES.sub("…", text)


def reworded(recorded: str) -> str:
    """Replace the sentences of a recorded answer that read differently now."""
    for before, now in REWORDED.items():
        recorded = recorded.replace(before, now)
    return recorded


def without_added(answer: Any, recorded: Any) -> Any:
    """Take from an answer the keys that the recorded one does not have."""
    if isinstance(answer, dict) and isinstance(recorded, dict):
        return {
            name: [one for one in value if one in recorded[name]]
            # By an OpenAPI document, and by a verdict.
            if name in {"required", "reasons"} and isinstance(value, list)
            else without_added(value, recorded[name])
            for name, value in answer.items()
            if name in recorded
        }
    if isinstance(answer, list) and isinstance(recorded, list) and len(answer) == len(recorded):
        return [without_added(one, other) for one, other in zip(answer, recorded, strict=True)]
    return answer


def may_be_left_out_now(recorded: Any) -> Any:
    """Take from a recorded refusal what is none any more: side effects may be left out.

    Gives None where nothing is left that would be refused.
    """
    if not isinstance(recorded, dict) or "errors" not in recorded:
        return recorded
    kept = [one for one in recorded["errors"] if one["loc"][-1] != "Side_Effects" or said(one)]
    if kept == recorded["errors"]:
        return recorded
    more = recorded["detail"].replace("and 3 more", "and 2 more")
    return {**recorded, "errors": kept, "detail": more} if kept else None


def said(error: Any) -> bool:
    """Whether a field that was refused said anything: recorded are those that did, and null."""
    return error["type"] not in {"missing", "literal_error"}


def drop_encoder(card: Any) -> None:
    """Leave out of a card that preprocess wrote an encoder: it is made where a model is fitted.

    It never was an answer to anybody: the encoding of a model is in its own graph.
    """
    card["lineage"]["stages"]["preprocess"]["wrote"].pop("encoder", None)


def drop_sentences(card: Any) -> None:
    """Remove a card's sentences for people, which may be worded better now."""
    for part, name in (
        ("overview", "intended_use"),
        ("overview", "limits"),
        ("verdict", "reasons"),
    ):
        assert card[part].pop(name)


def drop_subgroups_intervals(card: Any) -> None:
    """Take from a card the intervals that hold for all subgroups at once by now."""
    for group in card["subgroups"]:
        for name in ("rmse", "mae", "mean_error"):
            if group[name]:
                group[name] = group[name]["value"]


def drop_left_out(document: Any) -> None:
    """Take from an OpenAPI document the field that may be left out now."""
    patient = document["components"]["schemas"]["Patient"]
    del patient["properties"]["Side_Effects"]
    patient["required"] = [one for one in patient["required"] if one != "Side_Effects"]


def drop_descriptions(described: Any) -> None:
    """Remove the descriptions and summaries from an OpenAPI document, however deep."""
    if isinstance(described, dict):
        for name in ("description", "summary"):
            if isinstance(described.get(name), str):
                del described[name]
        for inner in described.values():
            drop_descriptions(inner)
    elif isinstance(described, list):
        for inner in described:
            drop_descriptions(inner)


def drop_hyperparameters(document: Any) -> None:
    """Take out of an OpenAPI document which hyperparameters a card has: each family its own."""
    schemas = document["components"]["schemas"]
    schemas.pop("Model", None)
    for name in ("Training", "TuningCandidate"):
        schemas[name]["properties"].pop("hyperparameters")


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
