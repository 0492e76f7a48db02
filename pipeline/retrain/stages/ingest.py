"""Copy one version of an uploaded CSV into the run, with outcomes reported since."""

from clinical.artefacts import Artefacts, RawObject
from clinical.errors import ArtefactMissing, DatasetUnreadable
from clinical.params import Params
from further import further
from reading import check_readable
from stage import RawBucket, stage

from retrain.state import Admitted, Ingested

NO_OUTCOMES = (
    "None of the outcomes reported since the upload can be used for training, so only the upload "
    "is used."
)


@stage(cached=False)
def ingest(admitted: Admitted, raw: RawBucket, artefacts: Artefacts, params: Params) -> Ingested:
    """Copy the uploaded version, if it is a readable CSV, and write the outcomes next to it.

    Raises DatasetUnreadable, and ArtefactCorrupted if a capture or an outcome was altered.
    """
    if admitted.upload is None:
        raise DatasetUnreadable("no upload was admitted")
    named = RawObject(key=admitted.upload.key, version_id=admitted.upload.version_id)
    try:
        # A manually written event, as for `sam local invoke`, has no version.
        source = named if named.version_id else raw.bucket.current(named.key)
        size = raw.bucket.written(source).size
        if size > params.dataset.max_bytes:
            raise DatasetUnreadable(
                f"{source.key} has {size:,} bytes, more than the limit of "
                f"{params.dataset.max_bytes:,} (dataset.max_bytes)"
            )
        body = raw.bucket.get_version(source)
    except ArtefactMissing as error:
        raise DatasetUnreadable(f"the upload was deleted in the meantime: {error}") from error
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
            f"{source.key} has {size:,} bytes and its outcomes {len(told.csv):,}, together more "
            f"than the limit of {params.dataset.max_bytes:,} (dataset.max_bytes); give an earlier "
            'time for "outcomes"'
        )
    written = artefacts.write("outcomes.csv", told.csv)
    return ingested.model_copy(update={"outcomes": written, "left_out": told.left_out})
