"""A Docker engine made of Debian's packages, in namespaces of its own, and images made the same way.

It is for machines with neither an engine nor a registry of images. It needs root, mmdebstrap and unshare. All its files
are in one folder, and all its processes, mounts and networks end with the command that it runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PYTHON_IMAGE = "debian-python"
"""The name of the Python image; `docker build --build-arg PYTHON_IMAGE=…` takes it."""
NGINX_IMAGE = "nginx:1"
"""The name of the nginx image: that of the official one, which `deploy/compose.yaml` names."""
SUITE = "trixie"
"""The release of Debian. Older ones have an engine that does not know `HEALTHCHECK --start-interval`."""

_ROOT = Path(__file__).parents[1]
_ENGINE = "docker.io docker-cli docker-buildx docker-compose iptables ca-certificates coreutils dash"
_UNSEEN = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")
_NEEDED = ("mmdebstrap", "unshare", "mount", "chroot", "ip")
_SOCKET = "unix:///run/docker.sock"
_START = 'cd "$0" && pivot_root . old && exec chroot . dockerd "$@"'
"""Starts the engine. After a mere chroot, `docker exec` would run commands among the files of the machine."""
_START_TIMEOUT = 30.0


class _Image(NamedTuple):
    """An image of Debian's packages: the folder of its files, what it has, and what it runs."""

    folder: str
    packages: str
    command: str


_IMAGES = {
    PYTHON_IMAGE: _Image("python", "python3 python3-pip python-is-python3 ca-certificates coreutils dash", "python"),
    NGINX_IMAGE: _Image("nginx", "nginx-light curl coreutils dash", 'nginx -g "daemon off;"'),
}


class DebianDocker:
    """A Docker engine below `folder`; `prepare` it once, then `run` commands with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder / "root"
        self._shared = folder / "shared"

    @staticmethod
    def lacks() -> str:
        """What this machine lacks to run it, empty if it can."""
        # Windows has no user ids.
        if getattr(os, "geteuid", lambda: 1)() != 0:
            return "root rights"
        if missing := [name for name in _NEEDED if not shutil.which(name)]:
            return ", ".join(missing)
        tried = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
            capture_output=True,
            check=False,
        )
        return "the right to mount in a namespace" if tried.returncode else ""

    def prepare(self, timeout: float) -> None:
        """Make the file systems of the engine and of the images, unless the folder has them.

        Raises CalledProcessError or TimeoutExpired.
        """
        if (self._folder / "bin").exists():
            return
        self._shared.mkdir(parents=True, exist_ok=True)
        unseen = [f"--dpkgopt=path-exclude={path}" for path in _UNSEEN]
        processes = [self._mmdebstrap(_ENGINE, self._root)]
        processes += [self._mmdebstrap(image.packages, self._files(image), *unseen) for image in _IMAGES.values()]
        end = time.monotonic() + timeout
        for process in processes:
            _, errors = process.communicate(timeout=max(0, end - time.monotonic()))
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, process.args, stderr=errors)
        for root in (self._root, *map(self._files, _IMAGES.values())):
            self._link(root)
        self._complete_images()
        self._complete()

    def run(self, command: Sequence[str], *, isolated: bool, timeout: float) -> int:
        """Run a command with `docker` on its path; returns its exit code. Raises TimeoutExpired.

        Isolated, it has a network of its own without a way out, in which containers publish their ports. Otherwise the
        engine leaves the network of the machine as it is, and containers can only use that one.
        """
        namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *(["--net"] if isolated else [])]
        inside = [sys.executable, "-m", "tools.debian_docker", str(self._folder), *(["--isolated"] if isolated else [])]
        whole = ["unshare", *namespaces, "--", *inside, "--", *command]
        return subprocess.run(whole, cwd=_ROOT, timeout=timeout, check=False).returncode

    def run_inside(self, command: Sequence[str], *, isolated: bool) -> int:
        """Start the engine in the namespaces of this process, and run a command; returns its exit code."""
        self._mount()
        # Not below /var/run, which outlasts an engine that was killed.
        flags = [f"--host={_SOCKET}", "--pidfile=/run/docker.pid", "--exec-root=/run/docker"]
        flags += [] if isolated else ["--bridge=none", "--iptables=false", "--ip6tables=false"]
        if isolated:
            _run("ip", "link", "set", "lo", "up")
        with (self._folder / "dockerd.log").open("ab") as log:
            engine = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", _START, str(self._root), *flags], stdout=log, stderr=log
            )
        environment = os.environ | {
            "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}",
            "DOCKER_HOST": f"unix://{self._root / 'run' / 'docker.sock'}",
            "TMPDIR": str(self._shared),
        }
        try:
            self._await(engine)
            if not isolated:
                self._import_images()
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            engine.terminate()
            engine.wait()

    def _mmdebstrap(self, packages: str, target: Path, *more: str) -> subprocess.Popen[str]:
        # Unpacking takes a third of the time that installing takes.
        include = f"--include={','.join(packages.split())}"
        return subprocess.Popen(
            ["mmdebstrap", "--mode=root", "--variant=extract", include, *more, SUITE, str(target)],
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def _link(root: Path) -> None:
        """Add the links that the base system has at its root."""
        for name in ("bin", "lib", "lib64", "sbin"):
            if not (root / name).exists():
                (root / name).symlink_to(f"usr/{name}")

    def _files(self, image: _Image) -> Path:
        return self._folder / image.folder

    def _complete_images(self) -> None:
        python, nginx = (self._files(_IMAGES[name]) for name in (PYTHON_IMAGE, NGINX_IMAGE))
        # pip must install into this image as it does into the official one.
        for file in python.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            file.unlink()
        certificates = sorted(python.glob("usr/share/ca-certificates/mozilla/*.crt"))
        bundle = python / "etc" / "ssl" / "certs" / "ca-certificates.crt"
        bundle.write_bytes(b"".join(file.read_bytes() for file in certificates))
        # The user and the group that nginx runs as.
        (nginx / "etc" / "passwd").write_text("nobody:x:65534:65534::/:/bin/sh\n")
        (nginx / "etc" / "group").write_text("nogroup:x:65534:\nnobody:x:65534:\n")

    def _import_images(self) -> None:
        """Make images of their file systems, unless the engine has them: a new one would outdate all layers."""
        docker = str(self._folder / "bin" / "docker")
        for name, image in _IMAGES.items():
            known = subprocess.run([docker, "image", "inspect", name], capture_output=True, check=False)
            if known.returncode == 0:
                continue
            files = ["tar", "--create", f"--directory={self._files(image)}", "."]
            with subprocess.Popen(files, stdout=subprocess.PIPE) as tar:
                whole = [docker, "import", f"--change=CMD {image.command}", "-", name]
                subprocess.run(whole, stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL)

    def _complete(self) -> None:
        """Add what the scripts of the engine's packages would have made: they are unpacked, not installed."""
        for name in ("iptables", "ip6tables"):
            (self._root / "usr" / "sbin" / name).symlink_to("xtables-nft-multi")
        for name in ("hosts", "resolv.conf"):
            shutil.copyfile(f"/etc/{name}", self._root / "etc" / name)
        docker = self._folder / "bin" / "docker"
        docker.parent.mkdir()
        # The sources and the shared folder have the same paths inside as outside.
        docker.write_text(
            f"#!/bin/sh\nexport DOCKER_HOST={_SOCKET}\n"
            f'exec chroot "{self._root}" /usr/bin/env --chdir="$PWD" PATH=/usr/sbin:/usr/bin docker "$@"\n'
        )
        docker.chmod(0o755)

    def _mount(self) -> None:
        root = self._root
        # runc changes the root file system, which must be a mount for that.
        _run("mount", "--bind", root, root)
        for name in ("proc", "sys", "dev"):
            (root / name).mkdir(exist_ok=True)
            _run("mount", "--rbind", f"/{name}", root / name)
        (root / "old").mkdir(exist_ok=True)
        for name in ("run", "tmp"):
            (root / name).mkdir(exist_ok=True)
            _run("mount", "-t", "tmpfs", "tmpfs", root / name)
        data = self._folder / "data"
        for source, target in ((data, "/var/lib/docker"), (_ROOT, _ROOT), (self._folder, self._folder)):
            source.mkdir(exist_ok=True)
            inside = root / str(target).lstrip("/")
            inside.mkdir(parents=True, exist_ok=True)
            _run("mount", "--bind", source, inside)

    def _await(self, engine: subprocess.Popen[bytes]) -> None:
        """Wait until the engine responds. Raises RuntimeError."""
        end = time.monotonic() + _START_TIMEOUT
        info = [str(self._folder / "bin" / "docker"), "info"]
        while engine.poll() is None and time.monotonic() < end:
            if subprocess.run(info, capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"the engine did not start; {self._folder / 'dockerd.log'} has the reason")


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """The part that `DebianDocker.run` starts in new namespaces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--isolated", action="store_true")
    own, command = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    arguments = parser.parse_args(own)
    return DebianDocker(arguments.folder).run_inside(command, isolated=arguments.isolated)


if __name__ == "__main__":
    raise SystemExit(main())
