import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_SECONDS

# As `python -m local down` does it, and says whether garbage is collected.
DOWN = """
import gc, sys
sys.argv = ["-m", "down", "--home", sys.argv[1]]
from local.__main__ import main
print(gc.isenabled())
main()
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
"""


def test_a_command_collects_no_garbage_until_all_is_imported(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", DOWN, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )

    while_importing, said, afterwards = ran.stdout.splitlines()
    assert while_importing == "False"
    assert said == "The local cloud was not running."
    assert afterwards == "True True"
