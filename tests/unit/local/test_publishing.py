"""`make publish`: what cannot be published, or is interrupted, ends in a sentence."""

import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from local import site
from local.cloud import REGION

OUTPUTS = {
    "SiteUrl": "https://site.example/",
    "SiteBucketName": "the-site",
    "SiteApiUrl": "https://api.example/v1",
}

type Deploy = Callable[[dict[str, str] | None], None]


@pytest.fixture(autouse=True)
def _ctrl_c_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def deploy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploy]:
    """Have an account with the site's bucket, and a stack with these outputs; None for no stack."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        s3, stacks = boto3.client("s3"), boto3.client("cloudformation")
        s3.create_bucket(Bucket="the-site")
        monkeypatch.setattr(
            boto3, "client", lambda name: {"s3": s3, "cloudformation": stacks}[name]
        )

        def describe(outputs: dict[str, str] | None) -> None:
            if outputs is None:
                stub.add_client_error("describe_stacks", "ValidationError", "It does not exist")
                return
            stack = {
                "StackName": "outcomes",
                "StackStatus": "CREATE_COMPLETE",
                "CreationTime": datetime.now(UTC),
                "Outputs": [{"OutputKey": one, "OutputValue": outputs[one]} for one in outputs],
            }
            stub.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "outcomes"})

        with Stubber(stacks) as stub:
            yield describe


def in_the_bucket() -> set[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket="the-site")
    return {one["Key"] for one in listed.get("Contents", [])}


def test_the_site_is_published_to_the_stack(
    deploy: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(OUTPUTS)

    assert site.main("outcomes") == 0

    assert capsys.readouterr().out == "https://site.example/\n"
    assert {"index.html", "config.json"} <= in_the_bucket()


def test_a_stack_that_is_not_there_is_told(
    deploy: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(None)

    assert site.main("outcomes") == 1

    told = capsys.readouterr().err
    assert told.startswith("outcomes's site was not fully published: ")
    assert "It does not exist" in told


@pytest.mark.parametrize("missing", [{}, *({name} for name in OUTPUTS)])
def test_a_stack_without_what_its_site_needs_is_told(
    deploy: Deploy, missing: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    deploy({name: value for name, value in OUTPUTS.items() if missing and name not in missing})

    assert site.main("outcomes") == 1

    told = capsys.readouterr().err
    assert "not deployed from this template, or not completely: run `sam deploy` first" in told
    assert in_the_bucket() == set()


def test_a_study_that_is_not_there_is_told(
    deploy: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(OUTPUTS)

    assert site.main("outcomes", "no-such-study") == 1

    assert "no-such-study" in capsys.readouterr().err
    assert in_the_bucket() == set()


def test_ctrl_c_while_files_are_uploaded_says_that_some_may_be(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(OUTPUTS)
    put = site._put

    def press_after(*given: object) -> None:
        put(*given)  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(site, "_put", press_after)

    assert site.main("outcomes") == 130

    assert capsys.readouterr().err == (
        "Interrupted: the site may be published in part. Run `make publish` again.\n"
    )
    assert len(in_the_bucket()) == 1
