"""An upload: which version of which object, and where it stands in the order of uploads."""

from datetime import datetime

from clinical.artefacts import RawObject


class Upload(RawObject):
    """One version of an object under raw/, and when it was made.

    uploaded_at: the version's own time, in whole seconds, as S3 tells it.
    sequencer: S3's, out of the event; empty where a run was started by hand, which has none.
    outcomes_until: where outcomes that were told since the upload are trained on beside it, up to
    when they were observed; None where there are none.
    """

    uploaded_at: datetime
    sequencer: str = ""
    outcomes_until: datetime | None = None

    def is_same_object(self, other: "RawObject") -> bool:
        """Whether both are of one version of one object, whatever outcomes go with it."""
        return (self.key, self.version_id) == (other.key, other.version_id)

    def is_older_than(self, other: "Upload") -> bool:
        """Whether this upload was made before another.

        Sequencers say it surely for two versions of one object. For two objects they only break
        the tie within a second, which S3's times cannot tell apart. Source: Event message
        structure in the Amazon S3 user guide, which has them padded at the right.
        """
        if (
            self.sequencer
            and other.sequencer
            and (self.key == other.key or self.uploaded_at == other.uploaded_at)
        ):
            length = max(len(self.sequencer), len(other.sequencer))
            mine, its = (one.sequencer.upper().ljust(length, "0") for one in (self, other))
            return mine < its
        return self.uploaded_at < other.uploaded_at


def superseded(upload: Upload | None, by: Upload | None) -> str | None:
    """Say so where the model of an upload would follow one of newer data; None where it may.

    by: the champion's; None where an earlier release promoted it, which kept no order.
    """
    if upload is None or by is None or not upload.is_older_than(by):
        return None
    return (
        f"{upload.key} was uploaded {_when(upload)}, before the data of the champion "
        f"({by.key}, {_when(by)}); to train on it all the same, start an execution with "
        '"even_if_older": true.'
    )


def _when(upload: Upload) -> str:
    return f"{upload.uploaded_at:%Y-%m-%d %H:%M:%S} UTC"
