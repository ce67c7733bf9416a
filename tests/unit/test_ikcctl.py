# SPDX-License-Identifier: Apache-2.0
"""ikcctl where there is no /dev/ikc: what it says of wrong words, and of the missing device."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Ikcctl = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def ikcctl(tmp_path_factory: pytest.TempPathFactory) -> Ikcctl:
    out = tmp_path_factory.mktemp("linux")
    subprocess.run(["make", "-s", "-C", ROOT / "guest-kernels/linux", "tools", f"OUT={out}"], check=True)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([out / "ikcctl", *words], capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("frobnicate", 'no verb "frobnicate"'),
        ("ping", "ping takes PEER, but was given 0 words"),
        ("ping lwk0 lwk1", "ping takes PEER, but was given 2 words"),
        ("status now", 'status takes no operands, but was given "now"'),
        ("ping lwk0 --loud", 'ping has no option "--loud"'),
        ("ping lwk0 -c", "ping: -c needs a value"),
        ("ping lwk0 -c 0", '-c is "0", but must be a number from 1 to'),
        ("ping lwk0 -i soon", '-i is "soon", but must be seconds'),
        ("ps lwk0 lwk1", "ps takes PEER, but was given 2 words"),
        ("ps --all", 'ps has no option "--all"'),
        ("receive 70000", 'PORT is "70000", but must be a number from 1 to 65535'),
        ("stream lwk0", "stream needs one of --to and --from"),
        ("stream lwk0 --to --from", "stream needs one of --to and --from"),
        ("stream lwk0 --to --count 1k", '--count is "1k", but must be a number'),
        ("window lwk0 0 16", "window needs --read"),
        ("window lwk0 --read 0", "window takes PEER ADDRESS LENGTH, but was given 2 words"),
    ],
)
def test_wrong_words_are_named_with_what_would_be_right(words: str, complaint: str, ikcctl: Ikcctl) -> None:
    done = ikcctl(*words.split())
    assert done.returncode == 2
    assert complaint in done.stderr


def test_without_words_it_shows_its_verbs(ikcctl: Ikcctl) -> None:
    done = ikcctl()
    assert done.returncode == 2
    assert "usage: ikcctl VERB" in done.stderr
    assert done.stderr == ikcctl("help").stdout


@pytest.mark.skipif(Path("/dev/ikc").exists(), reason="this is the host of an enclave")
def test_without_the_device_it_asks_for_the_module(ikcctl: Ikcctl) -> None:
    for words in ("status", "ping lwk0", "log lwk0", "receive 300", "ready"):
        done = ikcctl(*words.split())
        assert done.returncode == 3, words
        assert "/dev/ikc: No such file or directory: is ikc.ko loaded?" in done.stderr


def test_gccs_analyzer_has_nothing_to_say(tmp_path: Path) -> None:
    sources = ROOT / "guest-kernels" / "linux"
    command = ["make", "-s", "-C", str(sources), "tools", f"OUT={tmp_path}", "TOOLFLAGS=-fanalyzer"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
