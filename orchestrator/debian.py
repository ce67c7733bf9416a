# SPDX-License-Identifier: Apache-2.0
"""Debian packages, chosen, downloaded and unpacked by an ordinary user.

apt does the work, with a cache of our own, the computer's package lists, and an empty list of installed
packages: so it needs no root and no lock, and what this computer has installed does not matter. What apt
chose is written down once (a *selection*); from then on the same packages are used without asking apt or
the network again, until the folder is removed.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from orchestrator.errors import EnvironmentFault, UsageError

Progress = Callable[[str], None]

_UPDATE_HINT = "get Debian's package lists with: sudo apt-get update"
# What `apt-get --print-uris` prints: 'URI' file-name size hash
_URI_LINE = re.compile(r"^'(?P<uri>[^']+)' (?P<archive>\S+_\S+\.deb) (?P<size>\d+)", re.MULTILINE)


class AptFault(EnvironmentFault):
    """apt or dpkg-deb failed; the message is what it said."""


class Package(NamedTuple):
    """One version of one package, known by its archive's file name `name_version_architecture.deb`."""

    archive: str
    size_bytes: int

    @property
    def name(self) -> str:
        return self.archive.split("_")[0]

    @property
    def version(self) -> str:
        return self.archive.split("_")[1].replace("%3a", ":")


class Pool(NamedTuple):
    """The folder that holds what was selected, downloaded and unpacked."""

    root: Path

    @property
    def archives(self) -> Path:
        return self.root / "archives"


def selected(
    pool: Pool, name: str, select: Callable[[], tuple[Package, ...]], progress: Progress
) -> tuple[Package, ...]:
    """The packages that were selected under this name, all in the pool.

    If none were, `select` chooses. That is kept once they are here: a server forgets old versions.
    """
    path = pool.root / "selections" / f"{name}.json"
    try:
        return tuple(Package(**item) for item in json.loads(path.read_text()))
    except FileNotFoundError:
        progress("choosing Debian packages")
        packages = select()
        download(pool, packages, progress)
        write_atomically(path, json.dumps([each._asdict() for each in packages], indent=1).encode() + b"\n")
        return packages


def select_with_dependencies(pool: Pool, names: Sequence[str]) -> tuple[Package, ...]:
    """The packages `names` and all that they depend on (not: recommend), on a computer that has none.

    Raises UsageError if a name is unknown or they exclude each other, EnvironmentFault if apt or its lists
    are missing.
    """
    _require_known(pool, names)
    try:
        return _print_uris(pool, "--no-install-recommends", "install", *names)
    except AptFault as fault:
        if "broken packages" not in fault.message:
            raise
        raise UsageError(
            f"these Debian packages cannot be together (host: packages): {', '.join(names)}",
            f"apt explains it: apt-get --simulate install {' '.join(names)}",
        ) from fault


def select_exactly(pool: Pool, names: Sequence[str]) -> tuple[Package, ...]:
    """The packages `names`, each perhaps with `=version`, and nothing else."""
    return _print_uris(pool, "download", *names)


def show(pool: Pool, name: str) -> dict[str, str]:
    """The fields of the newest version of a package (Version, Depends, ...)."""
    text = _run_apt(pool, "apt-cache", "show", "--no-all-versions", name)
    return dict(line.split(": ", 1) for line in text.splitlines() if re.match(r"[\w-]+: ", line))


def download(pool: Pool, packages: Sequence[Package], progress: Progress) -> None:
    """Gets the archives that the pool does not have; apt checks them by the signed package lists."""
    missing = [package for package in packages if not (pool.archives / package.archive).exists()]
    if not missing:
        return
    megabytes = sum(package.size_bytes for package in missing) / 1e6
    progress(f"downloading {len(missing)} Debian packages ({megabytes:.1f} MB)")
    pool.archives.mkdir(parents=True, exist_ok=True)
    # apt-get download writes in place: a file under its final name must be a whole one.
    with tempfile.TemporaryDirectory(dir=pool.root) as scratch:
        wanted = [f"{package.name}={package.version}" for package in missing]
        _run_apt(pool, "apt-get", "--quiet", "--quiet", "download", *wanted, cwd=Path(scratch))
        for package in missing:
            os.replace(Path(scratch) / package.archive, pool.archives / package.archive)


def unpack(pool: Pool, package: Package) -> Path:
    """The folder with the files of a downloaded package; unpacked once."""
    folder = pool.root / "unpacked" / package.archive.removesuffix(".deb")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=pool.root) as scratch:
            unpack_into(pool, package, Path(scratch) / "files")
            os.rename(Path(scratch) / "files", folder)
    return folder


def unpack_into(pool: Pool, package: Package, folder: Path) -> None:
    _run(["dpkg-deb", "--extract", os.fspath(pool.archives / package.archive), os.fspath(folder)])


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file that is there whole or not at all, whoever else writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def _require_known(pool: Pool, names: Sequence[str]) -> None:
    known = frozenset(_run_apt(pool, "apt-cache", "pkgnames").split())
    if not known:
        raise EnvironmentFault("apt knows no package at all", _UPDATE_HINT)
    for name in names:
        if name not in known:
            # Imported here: only who made a mistake has to wait for it.
            import difflib

            near = difflib.get_close_matches(name, [k for k in known if k[:1] == name[:1]], n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "names are those of `apt-cache search`"
            raise UsageError(f"there is no Debian package named {name!r} (host: packages)", hint)


def _print_uris(pool: Pool, *arguments: str) -> tuple[Package, ...]:
    listed = _run_apt(pool, "apt-get", "--quiet", "--quiet", "--yes", "--print-uris", *arguments)
    found = _URI_LINE.finditer(listed)
    packages = tuple(Package(match["archive"], int(match["size"])) for match in found)
    if not packages:
        raise EnvironmentFault(f"apt-get {' '.join(arguments)} names no package: {listed!r}", _UPDATE_HINT)
    return tuple(sorted(packages, key=lambda package: package.archive))


def _run_apt(pool: Pool, program: str, *arguments: str, cwd: Path | None = None) -> str:
    cache = pool.root.absolute() / "apt"
    (cache / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State::status": "/dev/null",
        "Dir::State::extended_states": "/dev/null",
        "Dir::Cache": os.fspath(cache),
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "",
    }
    settings = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return _run([program, *settings, *arguments], cwd=cwd)


def _run(command: Sequence[str], cwd: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise EnvironmentFault(
            f"{command[0]} is not on this computer", "the host is made of Debian packages"
        ) from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith(("E:", "dpkg-deb:"))]
        said = errors[0] if errors else done.stderr.strip()
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise AptFault(f"{command[0]} failed with status {done.returncode}: {said}{more}", _cure(said))
    return done.stdout


def _cure(said: str) -> str:
    if "Failed to fetch" in said and "404" not in said:
        return "the package server must be reachable, the first time only: check the network"
    if "was not found" in said:
        return "the server has newer ones by now; to choose anew: make clean"
    if "Unable to locate" in said or "404" in said or "No packages found" in said:
        return _UPDATE_HINT
    return ""
