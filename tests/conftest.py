"""What every kind of test uses."""

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# How long an example takes tells of the machine: nothing here is judged by that.
settings.register_profile("anywhere", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in every run of CI: a failure there is one that anybody can repeat.
settings.register_profile("ci", settings.get_profile("anywhere"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "anywhere")

# Powertools and the resolvers read them when they are imported, which is before any fixture.
os.environ["POWERTOOLS_SERVICE_NAME"] = "unit"
os.environ["ARTIFACTS_BUCKET"] = "artifacts"

ROOT = Path(__file__).parent.parent
# Where the commands that tests start find what `make` would show them.
os.environ["PYTHONPATH"] = os.pathsep.join(
    str(ROOT / folder) for folder in ("layers/clinical", "layers/model", "pipeline")
)
# Rooms that start a cloud, an engine or a browser, once for all of their tests.
ROOMS = ("integration", "browser", "sam_local", "localstack")
# What starts clouds of its own, or takes so long that another laptop is soon made for it.
ALONE = (
    "browser/test_retraining.py",
    "browser/test_studies.py",
    "integration/test_approvals.py",
    "integration/test_crash.py",
    "integration/test_deployment.py",
    "integration/test_docs.py",
    "integration/test_faults.py",
    "integration/test_faults_of_the_place.py",
    "integration/test_least_privilege.py",
    "integration/test_openapi.py",
    "integration/test_registry.py",
    "integration/test_studies.py",
)
# What takes longest begins first: begun at the end, it leaves the other workers idle. And while the
# first room does the one `make up` from nothing, the next three need none.
FIRST = (
    "integration",
    "localstack",
    "sam_local",
    "integration/test_least_privilege.py",
    "integration/test_crash.py",
    "integration/test_faults_of_the_place.py",
    "integration/test_faults.py",
    "browser",
    "browser/test_retraining.py",
    "integration/test_studies.py",
    "integration/test_docs.py",
    "integration/test_approvals.py",
    "browser/test_studies.py",
    "integration/test_registry.py",
    "integration/test_deployment.py",
    "integration/test_openapi.py",
    "unit/pipeline/test_retrain.py",
    "unit/pipeline/test_studies.py",
    "unit/pipeline/test_evaluate.py",
    "unit/clinical/test_api.py",
    "unit/pipeline/test_promote.py",
    "unit/pipeline/test_learning_curve.py",
    "agreement/test_template.py",
    "unit/pipeline/test_coverage.py",
    "unit/clinical/test_kinds.py",
    "unit/clinical/test_registry.py",
)
YOUNG = 50_000  # objects, before they are looked through for garbage; Python's own are 2,000
REAL_DATA = ROOT.parent / "shared" / "data" / "real_drug_dataset.csv"
CASES = ROOT.parent / "shared" / "cases"


class ByRoom(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Share the tests among xdist's workers: a room that starts something whole, a unit by file."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.split("::", 1)[0]).relative_to("tests")
        room = file.parts[0]
        return room if room in ROOMS and str(file) not in ALONE else str(file)

    def _assign_work_unit(self, node: WorkerController) -> None:
        next_one = min(self.workqueue, key=place)
        self.workqueue.move_to_end(next_one, last=False)
        super()._assign_work_unit(node)


def place(scope: str) -> int:
    """Tell where in the queue a room or a file is; those that are not named keep their order."""
    return FIRST.index(scope) if scope in FIRST else len(FIRST)


def pytest_configure() -> None:
    """Have workers look for garbage seldom: mostly they look at what they imported, which stays."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        gc.set_threshold(YOUNG)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByRoom:
    config.option.loadscopereorder = False  # it would put first what has the most tests
    return ByRoom(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-clouds", action="store_true", help="leave out the rooms of clouds")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out a room of clouds where nobody wants them."""
    if config.getoption("--without-clouds") and collection_path.parent == ROOT / "tests":
        return collection_path.name in (*ROOMS, "release") or None
    return None


@pytest.fixture(scope="session", autouse=True)
def _moto_in_no_time() -> None:
    """Have moto's clouds share boto3's session, whose first client takes 0.1 s to make.

    Nor has its S3 to import its URLs anew for each request: they depend on variables that no test
    sets, and that takes a quarter of the request.
    """
    from moto.core.config import default_user_config  # noqa: PLC0415 - whoever shares tests has no use for it
    from moto.s3 import urls  # noqa: PLC0415
    from moto.s3.models import S3Backend  # noqa: PLC0415

    default_user_config["core"]["reset_boto3_session"] = False
    S3Backend._url_module = urls  # type: ignore[assignment]  # a property of the class


@pytest.fixture(scope="session", autouse=True)
def _scraps() -> Iterator[None]:
    """Take away what the commands that tests start leave in TMPDIR: sam, a folder per upload.

    This process keeps its own folder, which `tempfile` looks up once.
    """
    with (
        tempfile.TemporaryDirectory(prefix="scraps-", ignore_cleanup_errors=True) as scraps,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TMPDIR", scraps)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The public data set, which users bring themselves; in CI it is always there."""
    return brought(REAL_DATA, "bring it from Kaggle, see docs/how-to/train-on-your-data.md")


@pytest.fixture(scope="session")
def cases() -> Path:
    """Files and requests as people really send them; in CI they are always there."""
    return brought(CASES, "it comes with the project's issues")


def brought(path: Path, whence: str) -> Path:
    """Give what lies beside the project; without it a test is skipped, and fails in CI."""
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{path.name} must be present in CI")
        pytest.skip(f"{path.name} is not there: {whence}")
    return path


@pytest.fixture(scope="session")
def sample() -> Path:
    return ROOT / "data" / "sample.csv"


@pytest.fixture
def patient() -> dict[str, object]:
    """A patient and treatment that both data sets recorded."""
    return {
        "Patient_ID": "P0001",
        "Age": 56,
        "Gender": "Male",
        "Condition": "Infection",
        "Drug_Name": "Ciprofloxacin",
        "Dosage_mg": 50,
        "Treatment_Duration_days": 9,
        "Side_Effects": "Nausea",
    }
