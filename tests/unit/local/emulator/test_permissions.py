import pytest

from local.emulator.permissions import as_policies_name

GROUP = "arn:aws:logs:us-east-1:000000000000:log-group:api"


@pytest.mark.parametrize(
    ("service", "action", "arn", "named"),
    [
        ("logs", "FilterLogEvents", GROUP, f"{GROUP}:*"),
        ("logs", "FilterLogEvents", f"{GROUP}:*", f"{GROUP}:*"),
        ("logs", "DescribeLogGroups", "*", "*"),
        ("logs", "TagResource", GROUP, GROUP),
        ("s3", "", "arn:aws:s3:::raw", "arn:aws:s3:::raw"),
    ],
)
def test_lines_of_a_log_group_are_named_as_cloudformation_names_it(
    service: str, action: str, arn: str, named: str
) -> None:
    assert as_policies_name(service, action, arn) == named
