"""What functions/predict/openapi.json promises, for the tests that hold answers to it."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FILE = Path(__file__).parent.parent / "functions/predict/openapi.json"
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


def check(method: str, path: str, status: int, content_type: str, body: object) -> None:
    """Fail where an answer is none that the document has for the route."""
    responses = DOCUMENT["paths"][path][method.lower()]["responses"]
    assert str(status) in responses, f"{status} is not documented for {method} {path}"
    content = responses[str(status)]["content"]
    assert content_type in content, f"{content_type} is not documented for {status}"
    schema = content[content_type]["schema"] | {"components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(body)
