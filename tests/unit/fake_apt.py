# SPDX-License-Identifier: Apache-2.0
"""apt-get and apt-cache as far as orchestrator/debian.py uses them; REPOSITORY PROGRAM ARGUMENT..."""

import re
import shutil
import subprocess
import sys
from pathlib import Path


class FakeApt:
    def __init__(self, repository: Path) -> None:
        self.archives = {path.name.split("_")[0]: path for path in repository.glob("*.deb")}

    def field(self, name: str, key: str) -> str:
        command = ["dpkg-deb", "-f", str(self.archives[name]), key]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def closure(self, names: list[str]) -> list[str]:
        found = dict.fromkeys(names)
        for name in names:
            found |= dict.fromkeys(self.closure(re.findall(r"[^, ]+", self.field(name, "Depends"))))
        return list(found)

    def print_uris(self, names: list[str]) -> None:
        for archive in (self.archives[name] for name in names):
            print(f"'http://nowhere/{archive.name}' {archive.name} {archive.stat().st_size} SHA256:0")

    def run(self, verb: str, names: list[str], uris: bool) -> None:
        if verb == "pkgnames":
            print(*self.archives, sep="\n")
        elif verb == "show":
            print(f"Version: {self.field(names[0], 'Version')}\nDepends: {self.field(names[0], 'Depends')}")
        elif uris:
            self.print_uris(self.closure(names) if verb == "install" else names)
        else:
            for name in names:
                shutil.copy(self.archives[name], ".")


def main(repository: Path, program: str, arguments: list[str]) -> None:
    settings = {index + 1 for index, word in enumerate(arguments) if word == "-o"}
    words = [w for index, w in enumerate(arguments) if index not in settings and not w.startswith("-")]
    with (repository / "calls").open("a") as calls:
        print(program, *words, file=calls)
    for complaint in (repository / "complaint", repository / f"complaint{words[0]}"):
        if complaint.exists():
            sys.exit(complaint.read_text())
    names = [word.split("=")[0] for word in words[1:]]
    FakeApt(repository).run(words[0], names, "--print-uris" in arguments)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
