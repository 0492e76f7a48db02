import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def run(script: str, *given: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, without what `local` set for boto3 in this one."""
    return subprocess.run(
        [sys.executable, "-c", script, *given],
        env={name: value for name, value in os.environ.items() if name != "BOTO_DISABLE_CRT"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def down(home: Path) -> list[str]:
    """Run the command where no cloud runs; gives what it printed, line by line."""
    ran = run(DOWN, str(home))
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_a_command_collects_no_garbage_until_all_is_imported(tmp_path: Path) -> None:
    while_importing, said, afterwards, _ = down(tmp_path)

    assert while_importing == "False"
    assert said == "The local cloud was not running."
    assert afterwards == "True True"


def test_a_command_imports_nothing_for_boto3_that_is_not_used_here(tmp_path: Path) -> None:
    assert down(tmp_path)[-1] == "[]"


# As `python -m local down` would do it if Ctrl-C came twice, the second time before its sentence.
PRESSED = """
import signal, sys
from rich.console import Console
sys.argv = ["-m", "down", "--home", sys.argv[1]]
import local.__main__

def press(*_):
    signal.raise_signal(signal.SIGINT)

def press_and_say(console, *said):
    press()
    say(console, *said)

say = Console.print
Console.print = press_and_say
local.__main__._run = press
code = local.__main__.main()
print(code, signal.getsignal(signal.SIGINT) is signal.SIG_DFL)
"""


def test_ctrl_c_once_more_neither_hides_the_sentence_nor_ends_in_a_traceback(
    tmp_path: Path,
) -> None:
    ran = run(PRESSED, str(tmp_path))

    assert "Interrupted. The command's own processes were stopped" in ran.stdout
    assert ran.stdout.endswith("130 True\n")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("module", "sentence"),
    [("local", "Interrupted before anything was started.\n"), ("local.studies", "Interrupted.\n")],
)
def test_ctrl_c_while_a_command_is_imported_ends_in_a_true_sentence(
    module: str, sentence: str
) -> None:
    script = (
        "import signal, sys\n"
        f"sys.argv, sys.orig_argv = ['-m', 'check'], ['python', '-m', {module!r}, 'check']\n"
        "import local\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )

    ran = run(script)

    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", sentence)


def test_what_asks_aws_may_read_credentials_of_every_kind() -> None:
    """Those of `aws login` are read by `awscrt`."""
    script = (
        "import sys\n"
        "sys.argv, sys.orig_argv = ['-m', 'stack'], ['python', '-m', 'local.site', 'stack']\n"
        "import local.site\n"
        "from botocore.compat import HAS_CRT\n"
        "print(HAS_CRT)\n"
    )
    ran = run(script)

    assert ran.stdout == "True\n"
