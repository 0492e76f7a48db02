"""The template, as the files that it must agree with see it."""

from typing import Any

import pytest

from tests.template import template as read


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return read()


@pytest.fixture(scope="module")
def functions(template: dict[str, Any]) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
