"""Check permissions on log groups by the ARNs in policies: a correction before ministack starts.

On AWS, permission to read a log group's lines is granted on its ARN with `:*` at the end, which
CloudFormation returns; only tags use the ARN without it. Ministack checks the one without for
everything, and would refuse a policy that AWS accepts. Source: "CloudWatch Logs resources and
operations" in the Amazon CloudWatch Logs user guide.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

OF_TAGS = {"TagResource", "UntagResource", "ListTagsForResource"}


def as_policies_name(service: str, action: str, arn: str) -> str:
    """Return the ARN that a policy must name for a request.

    action: without the service before it. arn: as ministack has it; * of a request for none.
    """
    if service != "logs" or action in OF_TAGS or arn.endswith("*"):
        return arn
    return f"{arn}:*"


def install() -> None:
    # Here alone, so that what is above can be tested where there is no ministack.
    from ministack.core import iam_actions  # noqa: PLC0415

    extract: Callable[..., str] = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str, method: str, path: str, headers: dict[str, str], *others: object
    ) -> str:
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        return as_policies_name(service, action, extract(service, method, path, headers, *others))

    iam_actions.extract_resource_arn = extract_resource_arn
