"""What every kind of test uses."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

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
ALONE = ("test_crash.py", "test_faults_of_the_place.py", "test_least_privilege.py")
REAL_DATA = ROOT.parent / "shared" / "data" / "real_drug_dataset.csv"
CASES = ROOT.parent / "shared" / "cases"


class ByRoom(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Share the tests among xdist's workers: a room that starts something whole, a unit by file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        room = Path(file).parts[1]
        return room if room in ROOMS and Path(file).name not in ALONE else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByRoom:
    config.option.loadscopereorder = False  # what is to begin first comes first as it is
    return ByRoom(config, log)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The public data set, which users bring themselves; in CI it is always there."""
    return brought(REAL_DATA, "bring it from Kaggle, see the README")


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
