"""Write the change-control page as of a promotion to the registry, permanently."""

from change_control import history, render
from clinical.artefacts import Artefact, sha256
from clinical.errors import ArtefactMissing, PreconditionFailed
from clinical.params import Params
from clinical.registry import Registry
from stage import stage

from retrain.state import Documented, Made

FOLDER = "models/change-control/"


@stage(cached=False)
def document(made: Made, registry: Registry, params: Params) -> Documented:
    """Write the page of a promotion once; an existing page is not changed.

    Raises ArtefactMissing if the ledger has no such promotion, and ArtefactCorrupted if a ledger
    entry, an approval or an annex was altered.
    """
    key = f"{FOLDER}{made.sequence:06}.html"
    bucket = registry.bucket
    if bucket.keys(key, ""):
        return _written(key, bucket.get(key).body, made)
    found = history(bucket, made.sequence)
    if found.last is None or found.last.entry.sequence != made.sequence:
        raise ArtefactMissing(f"the ledger has no entry for promotion {made.sequence}")
    page = render(found, params).encode()
    try:
        bucket.put_new(key, page)
    except PreconditionFailed:  # a retry, or another run that found this version serving
        page = bucket.get(key).body
    return _written(key, page, made)


def _written(key: str, page: bytes, made: Made) -> Documented:
    return Documented(sequence=made.sequence, page=Artefact(key=key, sha256=sha256(page)))
