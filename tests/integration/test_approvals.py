"""Where somebody has to approve of models, none serves before, and only who may decides."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from clinical.approvals import Waiting

from local import approving, executions
from local.models import operator
from tests.integration.conftest import ROOT, Answer, Laptop, Laptops, fetch
from tests.patience import until

TREES = 20
SECONDS = 5  # that a candidate waits where nobody is to decide in time
CHAMPION = "models/champion.json"
WHY = 'Of all rows, none is lost; "fine" by $5.'
ROOT_USER = "arn:aws:iam::000000000000:root"


@pytest.fixture(scope="module")
def decisions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drug study as one of its own, with small models that somebody has to approve of."""
    folder = tmp_path_factory.mktemp("studies") / "approved"
    folder.mkdir()
    decided_by(folder / "params.yaml", approval="always")
    return folder


@pytest.fixture(scope="module")
def first_up(start_laptop: Laptops, decisions: Path) -> tuple[Laptop, str]:
    """A laptop after a `make up` from nothing, and what that printed."""
    laptop = start_laptop("approvals").with_study(str(decisions))
    done = laptop.run("up", DATA=str(rows(decisions, 0)))
    assert done.returncode == 0, done.stdout
    return laptop, done.stdout


@pytest.fixture(scope="module")
def serving(first_up: tuple[Laptop, str]) -> Laptop:
    """The laptop, once its first model was approved of by a command."""
    laptop, _ = first_up
    done = laptop.run("approve", REASON=WHY)
    assert done.returncode == 0, done.stdout
    assert "was promoted" in done.stdout
    return laptop


@pytest.fixture
def told(serving: Laptop) -> Iterator[list[dict[str, Any]]]:
    """Every message to who is to approve of models, while a test runs."""
    sns, sqs = (serving.stack.client(service) for service in ("sns", "sqs"))
    (topic,) = [
        one["TopicArn"] for one in sns.list_topics()["Topics"] if "ApprovalTopic" in one["TopicArn"]
    ]
    queue = sqs.create_queue(QueueName="approvers")["QueueUrl"]
    (arn,) = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])[
        "Attributes"
    ].values()
    subscribed = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    messages = Messages(sqs, queue)
    yield messages
    sns.unsubscribe(SubscriptionArn=subscribed)
    sqs.delete_queue(QueueUrl=queue)


class Messages(list[dict[str, Any]]):
    """What a queue got, taken out of it whenever it is asked."""

    def __init__(self, sqs: Any, queue: str) -> None:
        super().__init__()
        self.sqs, self.queue = sqs, queue

    def read(self) -> "Messages":
        while found := self.sqs.receive_message(QueueUrl=self.queue).get("Messages"):
            for one in found:
                self.append(json.loads(one["Body"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=one["ReceiptHandle"])
        return self


def decided_by(file: Path, **gate: object) -> Path:
    decided = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    decided["model"]["n_estimators"] = TREES
    decided["learning_curve"]["draws"] = 2
    decided["gate"] |= gate
    file.write_text(yaml.safe_dump(decided, sort_keys=False), "utf-8")
    return file


def rows(folder: Path, number: int) -> Path:
    """Write a data set that differs from the others in a few rows."""
    header, *lines = (ROOT / "data/sample.csv").read_text("utf-8").splitlines(keepends=True)
    file = folder / f"rows-{number}.csv"
    file.write_text("".join([header, *lines[number:]]), "utf-8")
    return file


def awaited(laptop: Laptop, arn: str) -> Waiting:
    """Wait until an execution waits."""
    name = arn.rsplit(":", 1)[-1]

    def found() -> Waiting | None:
        described = laptop.stack.stepfunctions.describe_execution(executionArn=arn)
        assert described["status"] == "RUNNING", described
        return next((one for one in approving.waiting(laptop.stack) if one.execution == name), None)

    return until(found, f"{name} to wait for an approval")


def decide(laptop: Laptop, execution: str, decision: str = "approve", **changed: str) -> Answer:
    """Decide as any client of AWS may, by the local cloud's one user."""
    told = {"decision": decision, "reason": WHY}
    return laptop.post_signed(f"/approvals/{execution}", told, **changed)


def output(ended: dict[str, Any]) -> dict[str, Any]:
    assert ended["status"] == "SUCCEEDED", ended
    found: dict[str, Any] = json.loads(ended["output"])
    return found


def pointer(laptop: Laptop) -> tuple[bytes, str]:
    """The champion's pointer byte for byte, and the ETag that any write would change."""
    stack = laptop.stack
    found = stack.s3.get_object(Bucket=stack.outputs.artifacts_bucket, Key=CHAMPION)
    return found["Body"].read(), found["VersionId"]


def test_up_of_a_fresh_cloud_ends_well_where_its_first_model_waits(
    first_up: tuple[Laptop, str],
) -> None:
    laptop, printed = first_up
    (waiting,) = approving.waiting(laptop.stack)

    assert f"{waiting.version} is waiting for approval" in printed
    assert f"make approve STUDY={laptop.study} EXECUTION={waiting.execution}" in printed
    assert f"http://localhost:{laptop.console_port}" in printed  # among all the other places
    assert "/predict" not in printed
    assert waiting.token not in printed
    assert laptop.get("/health").status == 503


def test_a_second_up_trains_nothing_while_it_waits(first_up: tuple[Laptop, str]) -> None:
    laptop, _ = first_up
    before = executions._executions(laptop.stack)

    again = laptop.run("up")
    listed = laptop.run("approvals")

    assert again.returncode == listed.returncode == 0, again.stdout + listed.stdout
    assert executions._executions(laptop.stack) == before
    (waiting,) = approving.waiting(laptop.stack)
    for printed in (again.stdout, listed.stdout):
        assert f"EXECUTION={waiting.execution}" in printed
        assert waiting.because[0] in printed
        assert f"http://localhost:{laptop.console_port}/approvals" in printed
        assert waiting.token not in printed


def test_nothing_but_a_signed_post_decides(first_up: tuple[Laptop, str]) -> None:
    laptop, _ = first_up
    (waiting,) = approving.waiting(laptop.stack)
    query = f"decision=approve&reason=fine&execution={waiting.execution}&token={waiting.token}"
    url = f"{laptop.stack.outputs.api_url}/approvals/{waiting.execution}"
    console = f"http://localhost:{laptop.console_port}"
    body = json.dumps({"decision": "approve", "reason": WHY}).encode()

    for method, status in (("GET", 404), ("HEAD", 404), ("OPTIONS", 204)):
        assert fetch(f"{url}?{query}", None, method).status == status
    for page in ("", "/models", "/approvals", f"/approvals/{waiting.execution}"):
        fetch(f"{console}{page}?{query}")
    fetch(f"{laptop.stack.outputs.site_url}?{query}")
    unsigned = fetch(url, body, None, Content_Type="application/json")
    guessed = [
        decide(laptop, waiting.execution, secret="a guess"),  # noqa: S106 - none
        decide(laptop, waiting.execution, Authorization="Bearer token"),
        decide(laptop, waiting.execution, **{"X-Amz-Date": "20261126T000000Z"}),
    ]

    assert unsigned.status == 404
    assert "signed request" in unsigned.body["detail"]
    for answer in guessed:
        assert (answer.status, answer.body["status"]) == (403, 403), answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert [one.execution for one in approving.waiting(laptop.stack)] == [waiting.execution]


def test_a_decision_takes_a_reason(first_up: tuple[Laptop, str]) -> None:
    laptop, _ = first_up

    for command in ("approve", "reject"):
        done = laptop.run(command, REASON=" ")
        assert done.returncode == 1
        assert "a reason is required" in done.stdout

    assert approving.waiting(laptop.stack)


def test_what_is_approved_serves_and_the_ledger_says_who_let_it_and_why(serving: Laptop) -> None:
    champion = serving.artefact(CHAMPION)

    approval = champion["promotion"]["approval"]
    assert (approval["decision"], approval["who"]) == ("approved", operator())
    assert approval["why"] == WHY
    entry = serving.artefact(f"models/ledger/{champion['sequence']:06}.json")
    assert entry["promotion"]["approval"] == approval
    serving.wait_until_served(champion["version"])
    assert serving.run("predict").returncode == 0


def test_a_rejected_candidate_leaves_champion_and_pointer_as_they_were(
    serving: Laptop, decisions: Path, told: Messages
) -> None:
    before = pointer(serving)
    arn = executions.upload(serving.stack, rows(decisions, 1))
    waiting = awaited(serving, arn)

    answer = decide(serving, waiting.execution, "reject")

    assert answer.status == 200, answer.text
    assert answer.body["decision"] == "rejected"
    assert (answer.body["who"], answer.body["why"]) == (ROOT_USER, WHY)
    assert waiting.token not in answer.text
    came = output(serving.ended(arn))
    assert (came["decision"], came["version"]) == ("not_approved", waiting.version)
    assert WHY in came["reason"]
    assert pointer(serving) == before
    for again in ("reject", "approve"):
        refused = decide(serving, waiting.execution, again)
        assert refused.status == 409, refused.text
        assert ROOT_USER in refused.body["detail"]
    assert pointer(serving) == before
    (message,) = told.read()
    for said in (waiting.execution, waiting.version, waiting.because[0]):
        assert said in message["Message"]
    assert waiting.token not in json.dumps(message)
    assert waiting.token not in "".join(serving.logged_with(waiting.token))


def test_of_two_that_wait_the_one_approved_last_is_void(serving: Laptop, decisions: Path) -> None:
    arns = [executions.upload(serving.stack, rows(decisions, number)) for number in (2, 3)]
    first, second = (awaited(serving, arn) for arn in arns)
    unnamed = serving.run("approve", REASON=WHY)
    assert unnamed.returncode == 1
    assert "2 executions are waiting" in unnamed.stdout

    answer = decide(serving, first.execution)
    promoted = output(serving.ended(arns[0]))
    late = serving.run("approve", EXECUTION=second.execution, REASON=WHY)

    assert answer.status == 200, answer.text
    assert (promoted["decision"], promoted["version"]) == ("promoted", first.version)
    assert late.returncode == 0, late.stdout
    came = output(serving.ended(arns[1]))
    assert (came["decision"], came["version"]) == ("approval_void", second.version)
    assert came["reason"] in late.stdout
    assert serving.artefact(CHAMPION)["version"] == first.version


def test_what_nobody_decides_on_in_time_is_not_approved(serving: Laptop, decisions: Path) -> None:
    before = pointer(serving)
    days = SECONDS / 24 / 60 / 60
    short = decided_by(decisions / "short.yaml", approval="always", approval_days=days)
    serving.decide_by(short)

    arn = executions.upload(serving.stack, rows(decisions, 4))
    came = output(serving.ended(arn))

    serving.decide_by(None)
    assert came["decision"] == "not_approved"
    assert pointer(serving) == before
    late = decide(serving, arn.rsplit(":", 1)[-1])
    assert late.status == 409, late.text
    assert pointer(serving) == before
