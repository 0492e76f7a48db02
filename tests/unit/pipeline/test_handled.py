from concurrent.futures import ThreadPoolExecutor

import pytest
from clinical.artefacts import Bucket
from clinical.upload import Upload
from handled import Claim, Handled

from tests.unit.conftest import NOW


def claim(execution: str, key: str = "raw/data.csv", version_id: str = "1") -> Claim:
    upload = Upload(key=key, version_id=version_id, uploaded_at=NOW)
    return Claim(execution=execution, upload=upload, claimed_at=NOW)


def test_the_first_claim_stands(bucket: Bucket) -> None:
    handled = Handled(bucket)

    assert handled.claim(claim("one")).execution == "one"
    assert handled.claim(claim("two")).execution == "one"
    assert handled.of(claim("two").upload) == claim("one")


@pytest.mark.usefixtures("at_once")
def test_of_claims_at_once_all_see_the_same_one(bucket: Bucket) -> None:
    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(lambda name: Handled(bucket).claim(claim(name)), "abcdefgh"))

    assert len({one.execution for one in seen}) == 1


def test_a_claim_is_on_one_version_of_one_object(bucket: Bucket) -> None:
    handled = Handled(bucket)
    handled.claim(claim("one"))

    for other in (claim("two", version_id="2"), claim("three", key="raw/Ü ber/../data.csv")):
        assert handled.of(other.upload) is None
        assert handled.claim(other) == other


def test_who_starts_a_run_by_hand_takes_over(bucket: Bucket) -> None:
    handled = Handled(bucket)
    handled.claim(claim("one"))

    handled.take_over(claim("two"))

    assert handled.claim(claim("three")).execution == "two"
