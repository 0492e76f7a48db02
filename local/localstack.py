"""A LocalStack that is already running, as the local cloud: `make up EMULATOR=localstack`."""

from collections.abc import Callable
from typing import ClassVar

from local.cloud import Cloud, CloudFailed, Start, python_platform


class LocalStack(Cloud):
    """A LocalStack that is started and stopped elsewhere.

    Uploads do not start executions: LocalStack does not deliver events to a state machine through
    an input transformer, which the template uses (LocalStack's issue 13336).
    """

    name: ClassVar[str] = "localstack"
    starts_on_uploads: ClassVar[bool] = False
    not_stopped: ClassVar[str] = "LocalStack is still running: stop it where you started it."

    @property
    def logged_at(self) -> str:
        return "`localstack logs`"

    @property
    def platform(self) -> str:
        """The platform that functions run on: LocalStack uses Linux containers."""
        return python_platform("linux")

    def site_url(self, outputs: dict[str, str]) -> str:
        """Return the site's URL: its website endpoint, as on AWS."""
        return outputs["SiteUrl"]

    def is_up(self) -> bool:
        """Whether it answers; ministack also answers at LocalStack's path."""
        return self.answers("/_localstack/health") and not self.answers("/_ministack/health")

    def start(self, noting: Callable[[Start], None] | None = None) -> Start:  # noqa: ARG002 - it is up
        """Check that LocalStack answers; raises CloudFailed, which says what to do, if not."""
        if not self.is_up():
            raise CloudFailed(
                f"no LocalStack is running at {self.endpoint_url}: start it with `localstack "
                "start`, or set PORT= to its port"
            )
        return Start(fresh=False)

    def save(self) -> None:
        """Do nothing: LocalStack is managed elsewhere."""

    def stop(self) -> bool:
        return False
