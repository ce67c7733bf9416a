# SPDX-License-Identifier: Apache-2.0
import subprocess
from pathlib import Path

import pytest

from orchestrator.symbols import Place, find_place, find_places

SOURCE = """\
static inline __attribute__((always_inline)) void inner(void)
{
	asm volatile("here: nop");
}
__attribute__((noinline)) void outer(void)
{
	inner();
}
int main(void)
{
	outer();
	return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("symbols")
    (folder / "p.c").write_text(SOURCE)
    options = ["-g", "-O1", "-no-pie", "-fdebug-prefix-map=.=."]
    subprocess.run(["gcc", *options, "-o", "p", "p.c"], cwd=folder, check=True)
    return folder / "p"


def address_of(program: Path, symbol: str) -> int:
    for line in subprocess.run(
        ["nm", program], capture_output=True, text=True, check=True
    ).stdout.splitlines():
        if line.endswith(f" {symbol}"):
            return int(line.split()[0], 16)
    raise AssertionError(symbol)


def test_place_with_what_is_inlined_there(program: Path) -> None:
    here, main = address_of(program, "here"), address_of(program, "main")
    found = find_places(program, [main, here, here, 0x10])
    assert set(found) == {main, here}
    inner, outer = found[here]
    assert (inner.function, Path(inner.file).name, inner.line, inner.inlined) == ("inner", "p.c", 3, True)
    assert (outer.function, outer.line, outer.inlined) == ("outer", 7, False)


def test_place_in_a_function_of_a_file_that_was_not_linked(program: Path, tmp_path: Path) -> None:
    compiled = ["gcc", "-g", "-O1", "-c", "-o", str(tmp_path / "p.o"), "p.c"]
    subprocess.run(compiled, cwd=program.parent, check=True)
    inner, outer = find_place(tmp_path / "p.o", "outer", 0)
    assert (inner.function, inner.line, inner.inlined) == ("inner", 3, True)
    assert (outer.function, Path(outer.file).name, outer.line) == ("outer", "p.c", 7)
    assert find_place(tmp_path / "p.o", "nowhere", 0) == ()
    assert find_place(tmp_path / "none.o", "outer", 0) == ()


def test_stripped_has_functions_or_nothing_but_no_lines(program: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    main = address_of(program, "main")
    subprocess.run(["strip", "--strip-debug", "-o", bare, program], check=True)
    assert find_places(bare, [main])[main] == (Place("main", "", 0),)
    subprocess.run(["strip", "-o", bare, program], check=True)
    assert find_places(bare, [main]) == {}


def test_what_is_no_elf_or_not_there_has_no_places(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no elf")
    assert find_places(tmp_path / "text", [1, 2]) == {}
    assert find_places(tmp_path / "missing", [1]) == {}
    assert find_places(tmp_path / "missing", []) == {}


def test_without_addr2line_there_are_no_places(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_places(program, [1]) == {}
