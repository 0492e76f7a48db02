"""A stand-in for AWS's Lambda image of Python 3.13, for machines that reach no image registry.

This machine's C library and shell; this Python under /var/lang; AWS's own runtime client and boto3
under /var/runtime. SAM adds its runtime emulator on top, as it does to AWS's image. Python and the
runtime client are compiled, as an installation leaves them, because a container keeps nothing that
it compiles itself.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
TAG = "clinical-outcomes/lambda-stand-in:python3.13"
COMMANDS = ("sh", "chmod", "cp", "mv", "rm")  # of the bootstrap, and of SAM's Dockerfile
# What wheels expect of any Linux, beside what this Python and the commands are linked to.
EXPECTED = (
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
LINKED = re.compile(r"(?:=> |^\s+)(/\S+) \(0x", re.MULTILINE)  # of what ldd prints
CACHED = re.compile(r"^\s+(\S+) .*=> (/\S+)$", re.MULTILINE)  # of what ldconfig does
BOOTSTRAP = """#!/bin/sh
export LD_LIBRARY_PATH=/var/lang/lib:/var/runtime:/opt/lib
export PYTHONPATH=/var/runtime:/opt/python
export AWS_EXECUTION_ENV=AWS_Lambda_python3.13
exec /var/lang/bin/python3.13 -m awslambdaric "$_HANDLER"
"""
LEFT_OUT = shutil.ignore_patterns("site-packages", "test", "idlelib", "config-*")


def build(folder: Path, environment: dict[str, str]) -> str:
    """Make the image in an engine, and return its tag.

    folder: an empty one, to put its files together in.
    environment: with the DOCKER_HOST of the engine.
    """
    root = folder / "root"
    for name in ("etc", "opt", "tmp", "var/task"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    python = Path(sys.base_prefix)
    for part in ("bin", "lib"):
        shutil.copytree(python / part, root / "var/lang" / part, symlinks=True, ignore=LEFT_OUT)
    commands = {f"/bin/{name}": Path(found(name)) for name in COMMANDS}
    extensions = (root / "var/lang/lib").glob("python3.13/lib-dynload/*.so")
    binaries = [root / "var/lang/bin/python3.13", *extensions, *commands.values()]
    for place, file in {**commands, **libraries(binaries), str(CERTIFICATES): CERTIFICATES}.items():
        copied = root / place.lstrip("/")
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copied)
    runtime = root / "var/runtime"
    subprocess.run(
        [
            *(Path(sys.executable).with_name("uv"), "pip", "install", "--quiet"),
            *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--compile-bytecode"),
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


def found(command: str) -> str:
    """Find a command on this machine; raises FileNotFoundError."""
    path = shutil.which(command, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        raise FileNotFoundError(f"the image needs {command}, which this machine does not have")
    return path


def libraries(binaries: Iterable[Path]) -> dict[str, Path]:
    """Find what binaries are linked to, and what wheels expect, by where it has to be."""
    printed = _printed("ldd", *binaries)
    linked = {path for path in LINKED.findall(printed) if not path.startswith(sys.base_prefix)}
    cached = dict(reversed(CACHED.findall(_printed(found("ldconfig"), "-p"))))  # the first wins
    expected = {cached[name] for name in EXPECTED if name in cached}
    return {path: Path(path).resolve() for path in linked | expected}


def _printed(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
