"""Write one document for the routes of every function: predict/openapi.json (`make openapi`).

The committed file is the drug study's; a build writes its own study's.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler.openapi.models import APIKey, APIKeyIn
from clinical.params import Params, params
from clinical.release import release

HERE = Path(__file__).parent
# As API Gateway exports it for an API with IAM-authorised routes.
SIGNED = APIKey(
    name="Authorization",
    in_=APIKeyIn.header,
    description="AWS Signature Version 4 for the service execute-api",
    **{"x-amazon-apigateway-authtype": "awsSigv4"},
)
UNANSWERED = ("HTTPValidationError", "ValidationError", "ResponseValidationError")


def document() -> str:
    """Merge the OpenAPI documents of all functions into one."""
    merged: dict[str, Any] = {}
    for function in sorted(HERE.glob("*/app.py")):
        spec = described(function)
        merged.setdefault("paths", {}).update(spec["paths"])
        merged.setdefault("schemas", {}).update(spec["components"]["schemas"])
    without_unanswered(merged)
    spec["paths"] = merged["paths"]
    spec["components"]["schemas"] = merged["schemas"]
    spec["servers"] = [{"url": "."}]  # beside this document, whatever its host and stage
    return json.dumps(spec, indent=1, sort_keys=True) + "\n"


def without_unanswered(merged: dict[str, Any]) -> None:
    """Remove the error that Powertools documents on every route but this API never returns."""
    for schema in UNANSWERED:
        del merged["schemas"][schema]
    for operations in merged["paths"].values():
        for operation in operations.values():
            if UNANSWERED[0] in json.dumps(operation["responses"].get("422")):
                del operation["responses"]["422"]


def predicts(params: Params) -> str:
    """Describe in a sentence what is predicted for whom."""
    target, (lowest, highest) = params.target.column, params.scale
    article = "an" if target[0].lower() in "aeiou" else "a"
    whom = "a patient and a treatment" if params.roles.treatment else "a patient"
    return f"Predicts {article} {target} from {lowest:g} to {highest:g} for {whom}."


def described(function: Path) -> dict[str, Any]:
    """Return the OpenAPI document of one function's resolver."""
    os.environ.setdefault("ARTIFACTS_BUCKET", "none is asked: only its routes are read")
    spec = importlib.util.spec_from_file_location(function.parent.name, function)
    if spec is None or spec.loader is None:
        raise ImportError(f"{function} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.app.get_openapi_json_schema(
        title=params().study.title,
        version=release(),
        description=f"{predicts(params())} For research support only: not for diagnosis, and not "
        "treatment advice. Every GET route also answers HEAD.",
        security_schemes={"sigv4": SIGNED},
    )
    described: dict[str, Any] = json.loads(text)
    return described


if __name__ == "__main__":
    written = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "predict/openapi.json"
    written.write_text(document(), encoding="utf-8")
