"""What the stages come to, for tests of what is published."""

from tests.unit.pipeline.conftest import retrain, retrained, upload

__all__ = ["retrain", "retrained", "upload"]
