# SPDX-License-Identifier: Apache-2.0
"""lwkexec where there is no LWK: its words, and what cannot be run, by the errno that Linux gives."""

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Lwkexec = Callable[..., "subprocess.CompletedProcess[str]"]

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
LOAD, INTERPRETER = 1, 3


@pytest.fixture(scope="session")
def lwkexec(tmp_path_factory: pytest.TempPathFactory) -> Lwkexec:
    out = tmp_path_factory.mktemp("linux")
    subprocess.run(["make", "-s", "-C", ROOT / "guest-kernels/linux", "tools", f"OUT={out}"], check=True)

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([out / "lwkexec", *words], capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("", "which partition? Name it with -p"),
        ("ls", "which partition? Name it with -p"),
        ("-p", "-p needs a value"),
        ("-p lwk0", "which program? As in: lwkexec -p lwk0 ls"),
        ("-p lwk0 --loud ls", 'no option "--loud"'),
        ("-p lwk0 --cpus 1- ls", '--cpus is "1-", but must be CPUs below 256'),
        ("-p lwk0 --cpus 3-1 ls", '--cpus is "3-1"'),
        ("-p lwk0 --cpus 256 ls", '--cpus is "256"'),
        ("-p lwk0 --cpus all ls", '--cpus is "all"'),
    ],
)
def test_wrong_words_are_named_with_what_would_be_right(words: str, complaint: str, lwkexec: Lwkexec) -> None:
    done = lwkexec(*words.split())
    assert done.returncode == 125
    assert complaint in done.stderr


@pytest.mark.skipif(Path("/dev/ikc").exists(), reason="this is the host of an enclave")
def test_without_the_device_it_asks_for_the_module(lwkexec: Lwkexec) -> None:
    done = lwkexec("-p", "lwk0", "true")
    assert done.returncode == 125
    assert "is ikc.ko loaded?" in done.stderr


def elf(
    kind: int = 2,
    machine: int = 62,
    segment_size: int = 56,
    segments: tuple[bytes, ...] = (),
    more: bytes = b"",
) -> bytes:
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    count = len(segments)
    header = HEADER.pack(identity, kind, machine, 1, 0x400100, 64, 0, 0, 64, segment_size, count, 0, 0, 0)
    return header + b"".join(segments) + more


def interpreted(path: str) -> bytes:
    text = path.encode() + b"\0"
    load = SEGMENT.pack(LOAD, 5, 0, 0x400000, 0x400000, 0x1000, 0x1000, 0x1000)
    name = SEGMENT.pack(INTERPRETER, 4, 176, 0x4000B0, 0x4000B0, len(text), len(text), 1)
    return elf(segments=(load, name), more=text).ljust(0x1000, b"\0")


LOADED = SEGMENT.pack(LOAD, 5, 0, 0x400000, 0x400000, 0x1000, 0x1000, 0x1000)
NOT_PROGRAMS = {
    "empty": b"",
    "text": b"hello\n",
    "cut": elf(segments=(LOADED,))[:40],
    "of another machine": elf(machine=183, segments=(LOADED,)),
    "an object": elf(kind=1, segments=(LOADED,)),
    "a core": elf(kind=4, segments=(LOADED,)),
    "without segments": elf(),
    "with segments of another size": elf(segment_size=32, segments=(LOADED,)),
    "script of nobody": b"#!/nowhere/at-all\n",
    "script of nothing": b"#!\n",
    "script of a folder": b"#!/usr\n",
    "interpreted by nobody": interpreted("/nowhere/at-all"),
    "interpreted by a folder": interpreted("/usr"),
    "interpreted by what is not to be run": interpreted("/etc/passwd"),
    "interpreted by text": interpreted("@TEXT@"),
    "interpreted by nothing": interpreted("@EMPTY@"),
}


def errno_of_linux(program: Path) -> int:
    try:
        subprocess.run([program], check=False)
    except OSError as error:
        return error.errno or 0
    return 0


@pytest.mark.parametrize("what", NOT_PROGRAMS)
def test_what_is_no_program_is_refused_as_by_linux(what: str, tmp_path: Path, lwkexec: Lwkexec) -> None:
    content = NOT_PROGRAMS[what]
    for name, text in {"@TEXT@": b"#" * 200, "@EMPTY@": b""}.items():
        helper = tmp_path / name.strip("@").lower()
        helper.write_bytes(text)
        helper.chmod(0o755)
        if name.encode() in content:
            content = interpreted(str(helper))
    program = tmp_path / "program"
    program.write_bytes(content)
    program.chmod(0o755)
    errno = errno_of_linux(program)
    assert errno
    done = lwkexec("-p", "lwk0", program)
    assert os.strerror(errno) in done.stderr
    assert done.returncode == (127 if "No such file" in done.stderr else 126)


def test_script_of_a_script_without_end_is_refused(tmp_path: Path, lwkexec: Lwkexec) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!{script}\n")
    script.chmod(0o755)
    done = lwkexec("-p", "lwk0", script)
    assert done.returncode == 126
    assert os.strerror(errno_of_linux(script)) in done.stderr
