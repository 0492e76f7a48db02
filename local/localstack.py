"""A LocalStack that runs already, in the local cloud's place: `make up EMULATOR=localstack`."""

from typing import ClassVar

from local.cloud import Cloud, CloudFailed, Start, python_platform


class LocalStack(Cloud):
    """A LocalStack that somebody else starts and stops.

    An upload starts no execution by itself: LocalStack delivers no event to a state machine that an
    input transformer changed, as the template's does (its issue 13336).
    """

    name: ClassVar[str] = "localstack"
    starts_on_uploads: ClassVar[bool] = False
    not_stopped: ClassVar[str] = "LocalStack runs on: whoever started it stops it."

    @property
    def logged_at(self) -> str:
        return "`localstack logs`"

    @property
    def platform(self) -> str:
        """Name what functions run on: LocalStack puts them into Linux containers."""
        return python_platform("linux")

    def site_url(self, outputs: dict[str, str]) -> str:
        """Tell where the site is: at its website endpoint, as on AWS."""
        return outputs["SiteUrl"]

    def is_up(self) -> bool:
        """Whether it answers; ministack does under its address too."""
        return self.answers("/_localstack/health") and not self.answers("/_ministack/health")

    def start(self) -> Start:
        """Look whether LocalStack answers; raises CloudFailed, which says what to do, if not."""
        if not self.is_up():
            raise CloudFailed(
                f"no LocalStack answers at {self.endpoint_url}: start it (`localstack start`), or "
                "say with PORT= where it listens"
            )
        return Start(fresh=False)

    def save(self) -> None:
        """Leave that to whoever started it."""

    def stop(self) -> bool:
        return False
