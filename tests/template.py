"""The template, read for the tests."""

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "template.yaml"


def template() -> dict[str, Any]:
    """Read it, with functions in their long form: {"Fn::GetAtt": ["Name", "Arn"]}."""
    from cfnlint.decode import cfn_yaml  # noqa: PLC0415 - two seconds, which few tests need

    read: dict[str, Any] = json.loads(json.dumps(cfn_yaml.load(str(FILE))))
    return read
