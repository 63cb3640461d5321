"""Download the sources with npm, check their SHA-256 and unpack them: python -m training.fetch"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from training.config import add_common_arguments
from training.sources import SOURCES, Source


class WrongHash(Exception):
    """The registry's file is not the one that this model was trained on."""


def verify(tarball: Path, source: Source) -> None:
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    if digest != source.sha256:
        raise WrongHash(f"{source.package} {source.version}: {digest}, pinned {source.sha256}")


def unpack(tarball: Path, folder: Path) -> None:
    """Unpack beside the target, then rename, so that the target is complete if it exists."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        with tarfile.open(tarball) as archive:
            archive.extractall(scratch, filter="data")
        (Path(scratch) / "package").rename(folder)


def fetch(source: Source, downloads: Path) -> Path:
    folder = downloads / source.folder
    if folder.is_dir():
        return folder
    downloads.mkdir(parents=True, exist_ok=True)
    tarball = downloads / f"{source.folder}.tgz"
    if not tarball.is_file():
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit(f"npm is missing. Install it, or put the tarball at {tarball}")
        command = [npm, "pack", "--silent", f"{source.package}@{source.version}"]
        subprocess.run(command, cwd=downloads, check=True, stdout=subprocess.DEVNULL)
    verify(tarball, source)
    unpack(tarball, folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    work: Path = parser.parse_args().work
    for number, source in enumerate(SOURCES, 1):
        folder = fetch(source, work / "sources")
        print(f"[{number}/{len(SOURCES)}] {source.package} {source.version} → {folder.name}")


if __name__ == "__main__":
    main()
