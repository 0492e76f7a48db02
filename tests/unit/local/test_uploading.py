import io
import signal
import threading
import time
from pathlib import Path

import pytest
from clinical.boto3_bucket import Boto3Bucket
from rich.console import Console

from local import uploading
from local.cloud import CloudFailed
from local.executions import to_upload
from local.machines import RETRAIN, SCORE
from local.uploading import PART_BYTES
from tests.patience import PATIENCE_SECONDS
from tests.unit.local import clouds

pytestmark = pytest.mark.usefixtures("cloud")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of three parts."""
    file = tmp_path / "large.csv"
    file.write_bytes(b"x" * (2 * PART_BYTES + 5))
    return file


def test_a_file_is_uploaded_whole_and_its_version_is_known(large: Path, cloud: Boto3Bucket) -> None:
    stack = clouds.stack()

    first = uploading.upload(stack, large)
    second = uploading.upload(stack, large)

    listed = cloud.client.list_object_versions(Bucket="raw")["Versions"]
    assert {one["VersionId"] for one in listed} == {first.version_id, second.version_id}
    (newest,) = (one for one in listed if one["IsLatest"])
    assert (newest["Key"], newest["VersionId"]) == (second.key, second.version_id)
    assert newest["Size"] == large.stat().st_size


def test_how_far_it_is_is_told_in_bytes_that_add_up(large: Path) -> None:
    told: list[int] = []

    uploading.upload(clouds.stack(), large, told=told.append)

    assert sum(told) == large.stat().st_size
    assert len(told) > 3


@pytest.mark.parametrize("size", [0, 5, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1])
def test_the_tag_of_a_file_is_what_s3_gives_it(size: int, tmp_path: Path) -> None:
    file = tmp_path / "some.csv"
    file.write_bytes(b"x" * size)
    stack = clouds.stack()

    uploaded = uploading.upload(stack, file)

    tag = stack.s3.head_object(Bucket="raw", Key=uploaded.key)["ETag"]
    assert uploading.tag_of(file) == tag
    assert to_upload(stack, file) is None


def test_another_file_than_the_newest_is_to_be_uploaded(large: Path, tmp_path: Path) -> None:
    stack = clouds.stack()
    uploading.upload(stack, large)
    other = tmp_path / "other.csv"
    other.write_bytes(b"y" * large.stat().st_size)

    assert to_upload(stack, other) == other


def test_an_interrupted_upload_leaves_nothing_and_says_so(large: Path, cloud: Boto3Bucket) -> None:
    interrupts, heard = iter([signal.SIGINT]), threading.Event()
    main = threading.get_ident()

    def hear(*_: object) -> None:
        heard.set()
        raise KeyboardInterrupt

    def interrupt(_: int) -> None:
        for once in interrupts:
            signal.pthread_kill(main, once)
        heard.wait(PATIENCE_SECONDS)
        time.sleep(1)  # in which this thread uploads nothing more

    before = signal.signal(signal.SIGINT, hear)
    try:
        with pytest.raises(
            KeyboardInterrupt, match=r"large.csv was not uploaded, not even in part"
        ):
            uploading.upload(clouds.stack(), large, told=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)

    assert "Contents" not in cloud.client.list_objects_v2(Bucket="raw")
    assert "Uploads" not in cloud.client.list_multipart_uploads(Bucket="raw")


def test_a_refused_upload_is_told_with_the_reason(large: Path) -> None:
    stack = clouds.stack()
    stack.outputs.raw_bucket = "nowhere"

    with pytest.raises(CloudFailed, match=r"large.csv was not uploaded: .*NoSuchBucket"):
        uploading.upload(stack, large)


def test_what_cannot_be_read_is_told_before_anything_is_asked_of_s3(tmp_path: Path) -> None:
    with pytest.raises(CloudFailed, match=r"gone.csv cannot be read: No such file"):
        uploading.upload(None, tmp_path / "gone.csv")  # type: ignore[arg-type]
    with pytest.raises(CloudFailed, match="cannot be read: Is a directory"):
        uploading.upload(None, tmp_path)  # type: ignore[arg-type]


def test_a_file_is_uploaded_under_the_name_that_somebody_gave_it(large: Path) -> None:
    uploaded = uploading.upload(clouds.stack(), large, name="trial [1].csv")

    assert uploaded.key == "raw/trial _1_.csv"


def test_an_upload_is_a_sentence_where_there_is_no_terminal(tmp_path: Path) -> None:
    file = tmp_path / "[red]trial.csv"
    file.write_bytes(b"x" * 1234)
    out = io.StringIO()

    uploading.on_terminal(clouds.stack(), file, Console(file=out, soft_wrap=True))

    assert out.getvalue().startswith("Uploaded [red]trial.csv: 1,234 bytes in ")
    assert out.getvalue().count("\n") == 1


def test_an_upload_is_a_bar_on_a_terminal(large: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)

    uploading.on_terminal(clouds.stack(), large, console)

    assert "Uploading large.csv" in out.getvalue()
    assert "16.8/16.8 MB" in out.getvalue()


def test_uploads_to_be_scored_do_not_collide_and_keep_their_ending() -> None:
    first, second = SCORE.key("Trial 1.CSV.gz"), SCORE.key("Trial 1.CSV.gz")

    assert first != second
    assert first.startswith("score/in/")
    assert first.endswith("-Trial 1.CSV.gz")
    assert SCORE.told_name(first) == SCORE.told_name(second) == "Trial 1.CSV.gz"
    assert RETRAIN.told_name("raw/0a1b2c3d-trial.csv") == "0a1b2c3d-trial.csv"


def test_a_stack_of_an_earlier_release_has_no_machine_to_score() -> None:
    stack = clouds.stack()
    stack.outputs.score_state_machine_arn = ""

    with pytest.raises(CloudFailed, match=r"no state machine `score`.*`make up`"):
        SCORE.arn(stack)
