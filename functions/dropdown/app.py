"""GET /dropdown-values: what a form can offer."""

from clinical import ahead, places

# Before all other imports, so that S3 responds while they run.
AHEAD = ahead.champion(places.REFERENCE)

from functools import cache

from clinical import api, contract
from clinical.champion import ChampionFollower
from clinical.contract import DropdownValues
from clinical.environment import environment
from clinical.obstore_bucket import ObstoreBucket, s3_bucket
from clinical.params import params
from clinical.reference import read_reference
from clinical.registry import Champion

app = api.resolver()


@cache
def bucket() -> ObstoreBucket:
    return s3_bucket(environment().artifacts_bucket, AHEAD)


def values_of(bucket: ObstoreBucket, champion: Champion) -> DropdownValues:
    """Return the contract's values, with the combinations recorded in this champion's data."""
    reference = read_reference(bucket, champion.reference)
    reference.check_contract(params())
    return contract.dropdown_values(params(), [one.values for one in reference.combinations])


follower = ChampionFollower(bucket, values_of)


@app.get(
    "/dropdown-values",
    tags=["Form"],
    summary="What a form can offer, and which values were recorded together",
    responses=api.answers(DropdownValues, 500, 503),
)
def dropdown_values() -> DropdownValues:
    return follower.current()


handler = api.lambda_handler(app)
follower.warm()
