"""A stand-in for AWS's Lambda image of Python 3.13, for machines that reach no image registry.

A minimal Debian; this Python under /var/lang; AWS's own runtime client and boto3 under
/var/runtime. SAM adds its runtime emulator on top, as it does to AWS's image.
"""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TAG = "clinical-outcomes/lambda-stand-in:python3.13"
LIBRARIES = (
    "ca-certificates",
    "libbz2-1.0",
    "libexpat1",
    "libffi8",
    "liblzma5",
    "libreadline8",
    "libsqlite3-0",
    "libssl3",
    "libuuid1",
    "zlib1g",
)
BOOTSTRAP = """#!/bin/sh
export LD_LIBRARY_PATH=/var/lang/lib:/var/runtime:/opt/lib
export PYTHONPATH=/var/runtime:/opt/python
export AWS_EXECUTION_ENV=AWS_Lambda_python3.13
exec /var/lang/bin/python3.13 -m awslambdaric "$_HANDLER"
"""
LEFT_OUT = shutil.ignore_patterns("site-packages", "test", "idlelib", "config-*", "__pycache__")


def build(folder: Path, environment: dict[str, str]) -> str:
    """Make the image in an engine, and return its tag.

    folder: an empty one, to put its files together in.
    environment: with the DOCKER_HOST of the engine.
    """
    root = folder / "root"
    subprocess.run(
        [
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(LIBRARIES)}",
            platform.freedesktop_os_release()["VERSION_CODENAME"],
            root,
            mirror(),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    python = Path(sys.base_prefix)
    for part in ("bin", "lib"):
        shutil.copytree(python / part, root / "var/lang" / part, symlinks=True, ignore=LEFT_OUT)
    runtime = root / "var/runtime"
    subprocess.run(
        [
            *(Path(sys.executable).with_name("uv"), "pip", "install", "--quiet"),
            *("--require-hashes", "--no-deps", "--only-binary", ":all:"),
            *("--python", sys.executable, "--target", runtime, "-r", HERE / "requirements.txt"),
        ],
        check=True,
    )
    bootstrap = runtime / "bootstrap"
    bootstrap.write_text(BOOTSTRAP)
    bootstrap.chmod(0o755)
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as archive:
        subprocess.run(
            ["docker", "import", "-", TAG],
            stdin=archive.stdout,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    shutil.rmtree(root)
    return TAG


def mirror() -> str:
    """Find where this machine gets its Debian packages from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    return next(line for line in listed.stdout.splitlines() if "security" not in line)
