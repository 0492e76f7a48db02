"""Take one version of an uploaded CSV into the run, and what came of predictions since."""

from clinical.artefacts import Artefacts, RawObject
from clinical.errors import ArtefactMissing, DatasetUnreadable
from clinical.params import Params
from further import further
from reading import check_readable
from stage import RawBucket, stage

from retrain.state import Admitted, Ingested

NO_OUTCOMES = (
    "No outcome that was told since the upload can be trained on: it was trained on the upload "
    "alone."
)


@stage(cached=False)
def ingest(admitted: Admitted, raw: RawBucket, artefacts: Artefacts, params: Params) -> Ingested:
    """Copy the uploaded version, if it is a CSV that can be read at all, and write outcomes beside.

    Raises DatasetUnreadable, and ArtefactCorrupted where a capture or an outcome was altered.
    """
    if admitted.upload is None:
        raise DatasetUnreadable("nothing was admitted to be read")
    named = RawObject(key=admitted.upload.key, version_id=admitted.upload.version_id)
    try:
        # An event that was written by hand, as for `sam local invoke`, names no version.
        source = named if named.version_id else raw.bucket.current(named.key)
        size = raw.bucket.written(source).size
        if size > params.dataset.max_bytes:
            raise DatasetUnreadable(
                f"{source.key} has {size:,} bytes, more than the {params.dataset.max_bytes:,} "
                "that dataset.max_bytes allows"
            )
        body = raw.bucket.get_version(source)
    except ArtefactMissing as error:
        raise DatasetUnreadable(f"the upload was deleted meanwhile: {error}") from error
    check_readable(source.key, body, params)
    ingested = Ingested(dataset=artefacts.write("dataset.csv", body), source=source)
    until = admitted.upload.outcomes_until
    if until is None:
        return ingested
    told = further(artefacts.bucket, admitted.upload, until, params)
    if not told.rows:
        return ingested.model_copy(update={"left_out": (*told.left_out, NO_OUTCOMES)})
    if size + len(told.csv) > params.dataset.max_bytes:
        raise DatasetUnreadable(
            f"{source.key} has {size:,} bytes and the outcomes beside it {len(told.csv):,}, more "
            f"together than the {params.dataset.max_bytes:,} that dataset.max_bytes allows; give "
            'an earlier time for "outcomes"'
        )
    written = artefacts.write("outcomes.csv", told.csv)
    return ingested.model_copy(update={"outcomes": written, "left_out": told.left_out})
