"""Renews the scripts of other projects that the pages use: `python -m tools.vendor [NAME@VERSION …]`.

It takes them from npm with their licences, and writes `vendor.json`, which holds versions and digests. Without names,
all packages are fetched again in the versions of that file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TypedDict

FOLDER = Path(__file__).parents[1] / "emulator" / "outlook_emulator" / "server" / "web" / "static" / "vendor"
LIST = FOLDER / "vendor.json"


class Package(TypedDict):
    """A package: its version, and the digest of each file by its name in the package."""

    version: str
    files: dict[str, str]


def read_list() -> dict[str, Package]:
    """The packages by name."""
    packages: dict[str, Package] = json.loads(LIST.read_text(encoding="utf-8"))
    return packages


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def local_name(package: str, file: str) -> str:
    """Where a file of a package is kept, below the folder."""
    return f"{package.removesuffix('.org')}/{Path(file).name}"


def fetch(package: str, version: str, files: list[str]) -> dict[str, str]:
    """Copy files of a package from npm; returns their digests."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{package}@{version}"]
        name = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.split()[-1]
        digests = {}
        with tarfile.open(Path(folder) / name) as archive:
            for file in files:
                member = archive.extractfile(f"package/{file}")
                assert member is not None
                content = member.read()
                target = FOLDER / local_name(package, file)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                digests[file] = digest(content)
    return digests


def main() -> None:
    packages = read_list()
    wanted = dict(name.rsplit("@", 1) for name in sys.argv[1:])
    for name, package in packages.items():
        version = wanted.get(name, package["version"])
        packages[name] = {"version": version, "files": fetch(name, version, list(package["files"]))}
    LIST.write_text(json.dumps(packages, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
