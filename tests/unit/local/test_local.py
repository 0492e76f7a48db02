import os
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_SECONDS

# As `python -m local down` does it; says whether garbage is collected, and what was imported.
DOWN = """
import gc, sys
sys.argv = ["-m", "down", "--home", sys.argv[1]]
from local.__main__ import main
print(gc.isenabled())
main()
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
import boto3  # which it has imported
unused = ("_awscrt", "awscrt.", "OpenSSL.", "cryptography")
print(sorted(name for name in sys.modules if name.startswith(unused)))
"""


def down(home: Path) -> list[str]:
    """Run the command where no cloud runs; gives what it printed, line by line."""
    ran = subprocess.run(
        [sys.executable, "-c", DOWN, str(home)],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    return ran.stdout.splitlines()


def test_a_command_collects_no_garbage_until_all_is_imported(tmp_path: Path) -> None:
    while_importing, said, afterwards, _ = down(tmp_path)

    assert while_importing == "False"
    assert said == "The local cloud was not running."
    assert afterwards == "True True"


def test_a_command_imports_nothing_for_boto3_that_is_not_used_here(tmp_path: Path) -> None:
    assert down(tmp_path)[-1] == "[]"


def test_what_asks_aws_may_read_credentials_of_every_kind() -> None:
    """Those of `aws login` are read by `awscrt`."""
    script = (
        "import sys\n"
        "sys.argv, sys.orig_argv = ['-m', 'stack'], ['python', '-m', 'local.site', 'stack']\n"
        "import local.site\n"
        "from botocore.compat import HAS_CRT\n"
        "print(HAS_CRT)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "BOTO_DISABLE_CRT"}

    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )

    assert ran.stdout == "True\n"
