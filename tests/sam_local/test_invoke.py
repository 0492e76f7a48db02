"""`sam local invoke` works for every function with its event."""

import pytest

from events.generate import stages
from tests.integration.conftest import ROOT, Laptop
from tests.sam_local.conftest import SamLocal


@pytest.mark.parametrize("name", [*stages(), "predict", "dropdown"])
def test_a_function_takes_its_event(sam_local: SamLocal, laptop: Laptop, name: str) -> None:
    function = "".join(part.capitalize() for part in name.split("_")) + "Function"

    answer, log = sam_local.invoke(function, ROOT / f"events/{name}.json", laptop.port)

    assert isinstance(answer, dict)
    assert "errorType" not in answer, answer
    assert answer.get("statusCode", 200) == 200
    assert "REPORT RequestId" in log
