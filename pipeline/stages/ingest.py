"""Take one version of an uploaded CSV into the run."""

from clinical.artefacts import Artefacts, RawObject
from clinical.errors import ArtefactMissing, DatasetUnreadable
from clinical.params import Params
from reading import check_readable
from stage import RawBucket, stage
from state import Ingested, Trigger


@stage(cached=False)
def ingest(trigger: Trigger, raw: RawBucket, artefacts: Artefacts, params: Params) -> Ingested:
    """Copy the uploaded version, or the newest one, if it is a CSV that can be read at all."""
    try:
        source = uploaded(trigger, raw)
        size = raw.bucket.size(source)
        if size > params.dataset.max_bytes:
            raise DatasetUnreadable(
                f"{source.key} has {size:,} bytes, more than the {params.dataset.max_bytes:,} "
                "that dataset.max_bytes allows"
            )
        body = raw.bucket.get_version(source)
    except ArtefactMissing as error:
        raise DatasetUnreadable(f"upload a CSV first: {error}") from error
    check_readable(source.key, body, params)
    return Ingested(dataset=artefacts.write("dataset.csv", body), source=source)


def uploaded(trigger: Trigger, raw: RawBucket) -> RawObject:
    """Which version of which object to take; raises ArtefactMissing where there is none."""
    key = trigger.key or raw.bucket.newest(raw.prefix, suffix=".csv")
    if trigger.version_id:
        return RawObject(key=key, version_id=trigger.version_id)
    return raw.bucket.current(key)
