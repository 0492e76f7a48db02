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
        """Whether this upload was made before another, or is the same with less far outcomes."""
        if self.was_made_before(other) or other.was_made_before(self):
            return self.was_made_before(other)
        return self.is_same_object(other) and self._reaches_less_far(other)

    def _reaches_less_far(self, other: "Upload") -> bool:
        if self.outcomes_until is None or other.outcomes_until is None:
            return other.outcomes_until is not None and self.outcomes_until is None
        return self.outcomes_until < other.outcomes_until

    def was_made_before(self, other: "Upload") -> bool:
        """Whether this upload was made before another, whatever outcomes go with them.

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
    if upload.is_same_object(by):
        learned = (
            f"The champion learned from {by.key} and from outcomes observed up to "
            f"{_when(by.outcomes_until)}, this run would from {_outcomes(upload)}"
        )
    else:
        learned = (
            f"{upload.key} was uploaded {_when(upload.uploaded_at)}, before the data of the "
            f"champion ({by.key}, {_when(by.uploaded_at)})"
        )
    return f'{learned}; to train on it all the same, start an execution with "even_if_older": true.'


def _outcomes(upload: Upload) -> str:
    if upload.outcomes_until is None:
        return "that upload alone"
    return f"those up to {_when(upload.outcomes_until)}"


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
