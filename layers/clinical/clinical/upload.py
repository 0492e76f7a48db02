"""An upload: a version of an object, and its place in the order of uploads."""

from datetime import datetime

from clinical.artefacts import RawObject


class Upload(RawObject):
    """One version of an object under raw/, and when it was uploaded.

    uploaded_at: the version's time in S3, in whole seconds.
    sequencer: from S3's event; empty if the run was started manually.
    outcomes_until: if outcomes reported since the upload are trained on as well, the time up to
    which they were observed; otherwise None.
    """

    uploaded_at: datetime
    sequencer: str = ""
    outcomes_until: datetime | None = None

    def is_same_object(self, other: "RawObject") -> bool:
        """Whether both are the same version of the same object, regardless of outcomes."""
        return (self.key, self.version_id) == (other.key, other.version_id)

    def is_older_than(self, other: "Upload") -> bool:
        """Whether this upload is older, or is the same with outcomes up to an earlier time."""
        if self.was_made_before(other) or other.was_made_before(self):
            return self.was_made_before(other)
        return self.is_same_object(other) and self._reaches_less_far(other)

    def _reaches_less_far(self, other: "Upload") -> bool:
        if self.outcomes_until is None or other.outcomes_until is None:
            return other.outcomes_until is not None and self.outcomes_until is None
        return self.outcomes_until < other.outcomes_until

    def was_made_before(self, other: "Upload") -> bool:
        """Whether this upload was made before another, regardless of outcomes.

        For two versions of one object, sequencers are decisive. For two objects they only break
        ties within a second, the resolution of S3's times. Source: Event message structure in the
        Amazon S3 user guide, which pads them on the right.
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
    """Explain why an upload is superseded by the champion's newer data; None if it is not.

    by: the champion's upload; None if an earlier release, which kept no order, promoted it.
    """
    if upload is None or by is None or not upload.is_older_than(by):
        return None
    if upload.is_same_object(by):
        learned = (
            f"The champion was trained on {by.key} and on outcomes observed up to "
            f"{_when(by.outcomes_until)}; this run would train on {_outcomes(upload)}"
        )
    else:
        learned = (
            f"{upload.key} was uploaded at {_when(upload.uploaded_at)}, before the champion's data "
            f"({by.key}, {_when(by.uploaded_at)})"
        )
    return f'{learned}; to train on it anyway, start an execution with "even_if_older": true.'


def _outcomes(upload: Upload) -> str:
    if upload.outcomes_until is None:
        return "that upload alone"
    return f"those up to {_when(upload.outcomes_until)}"


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
