"""A folder takes the place of the bucket in a container of `sam local`, and nowhere else."""

from pathlib import Path

import pytest
from clinical.champion import ChampionFollower
from clinical.errors import ModelUnavailable
from clinical.obstore_bucket import s3_bucket
from clinical.registry import CHAMPION_KEY
from clinical.s3_client import s3_store
from obstore.store import LocalStore, S3Store


@pytest.fixture
def in_sam_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")
    s3_store.cache_clear()


@pytest.mark.usefixtures("in_sam_local")
def test_a_folder_is_read_as_a_bucket(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / CHAMPION_KEY).write_text("it")
    bucket = s3_bucket(f"file://{tmp_path}")

    found = bucket.get(CHAMPION_KEY)

    assert found.body == b"it"
    assert bucket.get_if_changed(CHAMPION_KEY, found.etag) is None


@pytest.mark.usefixtures("in_sam_local")
def test_a_bucket_is_asked_in_s3_there_too() -> None:
    assert isinstance(s3_store("artifacts"), S3Store)


@pytest.mark.parametrize("said", [None, "", "false"])
def test_a_deployed_function_reads_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None
) -> None:
    monkeypatch.delenv("AWS_SAM_LOCAL", raising=False)
    if said is not None:
        monkeypatch.setenv("AWS_SAM_LOCAL", said)

    assert not isinstance(s3_store(f"file://{tmp_path}"), LocalStore)


@pytest.mark.parametrize(
    ("bucket", "to_run"),
    [
        ("file:///nowhere", "run `make up`, then sam with `--config-env cloud`."),
        ("artifacts", "Run `make up` first: it starts the local cloud that this container uses."),
    ],
)
@pytest.mark.usefixtures("in_sam_local")
def test_what_is_missing_there_is_answered_with_what_to_run(
    monkeypatch: pytest.MonkeyPatch, bucket: str, to_run: str
) -> None:
    monkeypatch.setenv("ARTIFACTS_BUCKET", bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # where nobody listens
    follower = ChampionFollower(lambda: s3_bucket(bucket), lambda _, champion: champion)

    with pytest.raises(ModelUnavailable) as refused:
        follower.current()

    assert str(refused.value).endswith(to_run)


def test_a_deployed_function_tells_clients_nothing_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SAM_LOCAL", raising=False)
    monkeypatch.setenv("ARTIFACTS_BUCKET", "artifacts")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    follower = ChampionFollower(lambda: s3_bucket("artifacts"), lambda _, champion: champion)

    with pytest.raises(ModelUnavailable) as refused:
        follower.current()

    assert "make up" not in str(refused.value)
    assert "S3" in str(refused.value)
