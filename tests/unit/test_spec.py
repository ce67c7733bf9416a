# SPDX-License-Identifier: Apache-2.0
"""What a spec may say, and what a person is told who wrote something else."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.kinds import MemoryKind
from orchestrator.quantities import QuantityError, format_cpu_list, format_size, parse_cpu_list, parse_size
from orchestrator.spec import CustomKernel, NodeCpus, Spec, host_name, json_schema
from orchestrator.spec_error import SpecError
from orchestrator.spec_file import load_spec
from orchestrator.template import Value, parse_define

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"

DUO = """\
name: duo
node:
  cpus: {sockets: 2, cores: 4}
  numa:
    - {cpus: 0-3, memory: 2G}
    - {cpus: 4-7, memory: 2G}
    - {memory: 1G, kind: hbm, near: 0}
partitions:
  host: {kernel: linux, cpus: [0, 4], memory: {0: 512M}}
  lwk0: {kernel: lwk, cpus: 1-3, memory: {0: 256M}}
  lwk1: {kernel: lwk, cpus: 5-7, memory: {1: 256M, 2: 64M}}
"""

Load = Callable[..., Spec]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_text(text: str | bytes, **defines: Value) -> Spec:
        path = tmp_path / "spec.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_spec(path, defines)

    return load_text


def test_spec_is_read(load: Load) -> None:
    spec = load(DUO)
    assert spec.name == "duo"
    assert spec.node.cpus == NodeCpus(sockets=2, dies=1, cores=4, threads=1)
    assert [numa.memory for numa in spec.node.numa] == [2 << 30, 2 << 30, 1 << 30]
    assert [numa.kind for numa in spec.node.numa] == [MemoryKind.DRAM, MemoryKind.DRAM, MemoryKind.HBM]
    assert list(spec.partitions) == ["host", "lwk0", "lwk1"]
    assert spec.partitions["lwk1"].cpus == (5, 6, 7)
    assert spec.partitions["lwk1"].memory == {1: 256 << 20, 2: 64 << 20}


def test_host_is_the_first_linux(load: Load) -> None:
    text = DUO.replace("kernel: linux", "kernel: lwk").replace("lwk1: {kernel: lwk,", "lwk1: {kernel: linux,")
    assert host_name(load(text)) == "lwk1"


@pytest.mark.parametrize("name", ["duo", "solo", "family"])
def test_shipped_spec_is_right_and_names_its_schema(name: str) -> None:
    path = SPECS / f"{name}.yaml"
    assert load_spec(path, {}).name.startswith(name)
    assert "# yaml-language-server: $schema=../docs/spec.schema.json" in path.read_text()


@pytest.mark.parametrize("lwks", range(1, 17))
def test_family_has_as_many_lwks_as_asked_for(lwks: int) -> None:
    spec = load_spec(SPECS / "family.yaml", {"lwks": lwks})
    assert [partition.kernel for partition in spec.partitions.values()] == ["linux", *["lwk"] * lwks]


def test_schema_for_editors_is_current() -> None:
    shipped = json.loads((ROOT / "docs" / "spec.schema.json").read_text())
    assert shipped == json_schema(), "run: enclave schema > docs/spec.schema.json"


def test_reference_names_every_key() -> None:
    reference = (ROOT / "docs" / "spec.md").read_text()
    schema = json_schema()
    models = [schema, *schema["$defs"].values()]
    for key in {key for model in models for key in model.get("properties", {})}:
        assert f"`{key}`" in reference, f"docs/spec.md does not mention the key {key}"


# Text of DUO, what replaces it, and what the error must say: its line, what is wrong, what would be right.
MISTAKES = {
    "unknown key": ("cpus: 1-3", "cpu: 1-3", 10, "unknown key 'cpu'", "did you mean 'cpus'?"),
    "missing key": ("cpus: 1-3, ", "", 10, "key 'cpus' is missing", ""),
    "overlapping CPUs": ("cpus: 1-3", "cpus: 1-4", 10, "CPU 4 belongs to host already", "free CPUs: none"),
    "free CPUs": ("cpus: 1-3", "cpus: 0", 10, "CPU 0 belongs to host already", "free CPUs: 1-3"),
    "CPU that is not there": ("cpus: 5-7", "cpus: 5-8", 11, "CPU 8 does not exist", "the node has CPUs 0-7"),
    "empty slice": ("cpus: 1-3", "cpus: []", 10, "no CPU is listed", "write for example"),
    "empty CPU list": ("cpus: 1-3", "cpus: ''", 10, "'' is no CPU or range of CPUs", "write for example"),
    "null CPU list": ("cpus: 1-3", "cpus: null", 10, "None is no CPU list", "write for example"),
    "CPU twice": ("cpus: 1-3", "cpus: [1, 1-3]", 10, "CPU 1 is listed twice", "once"),
    "backwards range": ("cpus: 1-3", "cpus: 3-1", 10, "the range 3-1 runs backwards", "write 1-3"),
    "no memory": ("{0: 256M}", "{}", 10, "this is empty", "how much of which NUMA node"),
    "memory that is too much": (
        "{0: 256M}",
        "{0: 2G}",
        10,
        "2G does not fit in NUMA node 0",
        "1536M of its 2G is free",
    ),
    "memory without a node": ("{0: 256M}", "256M", 10, "'256M' cannot be used", "for example {0: 256M}"),
    "unknown node": ("{0: 256M}", "{7: 256M}", 10, "NUMA node 7 does not exist", "the node has 0-2"),
    "wrong unit": ("{0: 256M}", "{0: 512X}", 10, "unit 'X' is unknown", "units are K, M, G and T"),
    "long unit": ("{0: 256M}", "{0: 512MiB}", 10, "unit 'MiB' is unknown", "did you mean 512M?"),
    "no unit": ("{0: 256M}", "{0: 512}", 10, "512 has no unit", "512M for mebibytes"),
    "fraction": ("{0: 256M}", "{0: 1.5G}", 10, "no whole number", "1536M"),
    "odd size": ("{0: 256M}", "{0: 100K}", 10, "not a whole number of mebibytes", "steps of 1M"),
    "too little for Linux": ("{0: 512M}", "{0: 16M}", 9, "16M is too little", "linux needs"),
    "too little for an LWK": ("{0: 256M}", "{0: 1M}", 10, "1M is too little", "lwk needs"),
    "no host": ("kernel: linux", "kernel: lwk", 8, "no partition has kernel: linux", "the host"),
    "unknown kernel": ("kernel: linux", "kernel: linx", 9, "'linx' is unknown", "did you mean linux?"),
    "bad partition name": ("lwk0:", "LWK_0:", 10, "'LWK_0' cannot be used", "lower-case letters"),
    "bad enclave name": ("name: duo", "name: Duo!", 1, "'Duo!' cannot be used", "lower-case letters"),
    "CPU in no NUMA node": ("cpus: 4-7", "cpus: 4-6", 4, "CPU 7 is in no NUMA node", "add it"),
    "CPU in two NUMA nodes": ("cpus: 4-7", "cpus: 3-7", 6, "CPU 3 is in NUMA node 0 already", "4-7"),
    "no near": (", near: 0", "", 7, "a NUMA node without CPUs needs near", "NUMA nodes with CPUs: 0-1"),
    "near itself": ("near: 0", "near: 2", 7, "2 is no NUMA node with CPUs", "NUMA nodes with CPUs: 0-1"),
    "near with CPUs": ("0-3, memory", "0-3, near: 1, memory", 5, "has CPUs of its own", "remove near"),
    "unknown kind": ("kind: hbm", "kind: hmb", 7, "'hmb' is unknown", "did you mean hbm?"),
    "no sockets": ("sockets: 2", "sockets: 0", 3, "0 is too small", "at least 1"),
    "too much node": ("{memory: 1G", "{memory: 1T", 4, "of memory", "a node has at most"),
    "slow bandwidth": ("kind: hbm", "kind: hbm, bandwidth: 1M", 7, "no bandwidth", "steps of 64M"),
    "bad indentation": ("  lwk0:", "   lwk0:", 10, "this is not YAML", ""),
    "key twice": ("cpus: 1-3", "cpus: 1-2, cpus: 3", 10, "key 'cpus' comes twice", "keep one"),
    "alias": ("cpus: 1-3", "cpus: *host", 10, "alias *host is not supported", "{% set %}"),
    "packages for an LWK": (
        "cpus: 1-3",
        "packages: [hwloc], cpus: 1-3",
        10,
        "for kernel: linux only",
        "remove",
    ),
    "packages in one word": (
        "cpus: [0, 4]",
        "packages: hwloc, cpus: [0, 4]",
        9,
        "cannot be used",
        "[hwloc, numactl]",
    ),
    "relative guest path": (
        "cpus: [0, 4]",
        "files: {etc: x}, cpus: [0, 4]",
        9,
        "'etc' cannot be used",
        "begins with /",
    ),
    "missing file": (
        "cpus: [0, 4]",
        "files: {/etc/x: nowhere}, cpus: [0, 4]",
        9,
        "nowhere is no file",
        "relative",
    ),
    "kernel that is none": (
        "lwk, cpus: 1-3",
        "{path: spec.yaml}, cpus: 1-3",
        10,
        "it is a text file",
        "name the kernel",
    ),
    "two command lines": (
        "lwk, cpus: 1-3",
        "{path: spec.yaml}, cmdline: x, cpus: 1-3",
        10,
        "of its own",
        "inside kernel",
    ),
    "two lines of command": ("cpus: 1-3", 'cmdline: "a\\nb", cpus: 1-3', 10, "cannot be used", "one line"),
    "no YAML": ("{0: 256M}}", "{0: 256M", 11, "this is not YAML", ""),
    "undefined variable": (
        "1-3",
        "{{ cpus }}",
        10,
        "'cpus' is undefined",
        "give it a value with -D cpus=...",
    ),
    "broken template": ("1-3", "{% for %}", 10, "the template is broken", ""),
    "failing template": ("1-3", "{{ 1 / 0 }}", 10, "division by zero", ""),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_told_with_its_line_and_its_cure(name: str, load: Load) -> None:
    old, new, line, what, cure = MISTAKES[name]
    assert old in DUO
    with pytest.raises(SpecError) as caught:
        load(DUO.replace(old, new, 1))
    paragraphs = re.split(r"\n(?=\S)", caught.value.message)
    told = [text for text in paragraphs if f"spec.yaml:{line}: " in text and what in text and cure in text]
    assert told, caught.value.message
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("distances", "what"),
    [
        ("[[10, 20, 20], [20, 10, 20]]", "there are 2 rows"),
        ("[[10, 20], [20, 10, 20], [20, 20, 10]]", "row 0 has 2 distances"),
        ("[[11, 20, 20], [20, 10, 20], [20, 20, 10]]", "the distance of NUMA node 0 to itself is 11"),
        ("[[10, 20, 20], [21, 10, 20], [20, 20, 10]]", "from NUMA node 1 to 0 is 21, and 20 the other way"),
        ("[[10, 9, 20], [9, 10, 20], [20, 20, 10]]", "from NUMA node 0 to 1 is 9"),
        ("[[10, 255, 20], [255, 10, 20], [20, 20, 10]]", "from NUMA node 0 to 1 is 255"),
    ],
)
def test_wrong_distances_are_told(distances: str, what: str, load: Load) -> None:
    with pytest.raises(SpecError, match=re.escape(what)):
        load(DUO.replace("partitions:", f"  distances: {distances}\npartitions:"))


def test_every_mistake_is_told_at_once(load: Load) -> None:
    text = DUO.replace("cpus: 1-3", "cpus: 1-4").replace("{1: 256M, 2: 64M}", "{1: 256M, 9: 64M}")
    with pytest.raises(SpecError) as caught:
        load(text)
    assert [problem.line for problem in caught.value.problems] == [10, 11]


def test_mistake_in_a_loop_is_told_on_the_template_line(load: Load) -> None:
    line = "  lwk{{ lwk }}: {kernel: lwk, cpus: {{ lwk }}, memory: {0: 9T}}\n"
    loop = f"{{% for lwk in [1, 2] %}}\n{line}{{% endfor %}}\n"
    with pytest.raises(SpecError) as caught:
        load(DUO[: DUO.index("  lwk0")] + loop)
    assert caught.value.message.count("spec.yaml:11: ") == 2
    assert "lwk2: {kernel: lwk, cpus: 2, memory: {0: 9T}}    <- as rendered, line 11" in caught.value.message


def test_mistake_is_shown_as_rendered_where_the_template_line_cannot_be_told(load: Load) -> None:
    body = DUO.replace("cpus: 1-3", "cpus: 1-9")
    # The marks that follow lines through a template make the text longer, and this one looks at its length.
    limit = len(body) + 1
    text = (
        f"{{% set text %}}\n{body}{{% endset %}}\n{{{{ text if text | length < {limit} else 'longer' }}}}\n"
    )
    with pytest.raises(SpecError, match=re.escape("spec.yaml: line 10 of the file as rendered: ")):
        load(text)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the file is empty"),
        (b"# nothing but a comment\n", "the file is empty"),
        (b"name: \xff\n", r"spec\.yaml:1: this is not UTF-8: byte 0xff at offset 6"),
        (b"\x7fELF\x00\x80", "this is not UTF-8"),
        (b"a\0b", "this is not YAML"),
        (b"- a\n- b\n", "a mapping .* belongs here"),
        (b"hello", "a mapping .* belongs here"),
        (b"[" * 10000, "nested too deeply"),
        (b"a: 2026-13-45", "this is not YAML"),
        (b"a: !!python/object:os.system x", "this is not YAML"),
    ],
)
def test_file_that_is_no_spec_is_told(content: bytes, what: str, load: Load) -> None:
    with pytest.raises(SpecError, match=what):
        load(content)


def test_missing_file_and_directory_are_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no such file"):
        load_spec(tmp_path / "nowhere.yaml", {})
    with pytest.raises(SpecError, match="this is a directory"):
        load_spec(tmp_path, {})


def test_too_many_partitions_are_told(load: Load) -> None:
    text = DUO + "".join(
        f"  more{index}: {{kernel: lwk, cpus: 1, memory: {{0: 16M}}}}\n" for index in range(61)
    )
    with pytest.raises(SpecError, match="at most 63"):
        load(text)


def test_too_many_cpus_for_one_partition_are_told(load: Load) -> None:
    text = """
name: big
node: {cpus: {sockets: 2, cores: 200}, numa: [{cpus: 0-399, memory: 1G}]}
partitions: {host: {kernel: linux, cpus: 0-299, memory: {0: 512M}}}
"""
    with pytest.raises(SpecError, match="APIC ids beyond 254"):
        load(text)


def test_custom_kernel_is_relative_to_the_spec(tmp_path: Path, load: Load) -> None:
    (tmp_path / "my-kernel").write_bytes(bytes(0x202) + b"HdrS")
    spec = load(DUO.replace("kernel: lwk, cpus: 1-3", "kernel: {path: my-kernel, cmdline: a b}, cpus: 1-3"))
    assert spec.partitions["lwk0"].kernel == CustomKernel(path="my-kernel", cmdline="a b")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("n=8", ("n", 8)),
        ("n=-8", ("n", -8)),
        ("n=08", ("n", "08")),
        ("n=true", ("n", True)),
        ("n=False", ("n", False)),
        ("n=", ("n", "")),
        ("n=a=b", ("n", "a=b")),
    ],
)
def test_definition_is_parsed(argument: str, expected: tuple[str, Value]) -> None:
    name, value = parse_define(argument)
    assert (name, value, type(value)) == (*expected, type(expected[1]))


@pytest.mark.parametrize("argument", ["n", "=8", "1n=8", "a b=8"])
def test_wrong_definition_is_told(argument: str) -> None:
    with pytest.raises(UsageError, match="no definition"):
        parse_define(argument)


def test_definition_that_the_spec_does_not_use_is_told() -> None:
    with pytest.raises(UsageError) as caught:
        load_spec(SPECS / "family.yaml", {"lwk": 3})
    assert "did you mean 'lwks'?" in caught.value.hint


def test_template_cannot_reach_into_python(load: Load) -> None:
    with pytest.raises(SpecError, match="unsafe"):
        load("name: {{ ''.__class__.__mro__ }}")


@pytest.mark.parametrize("cpus", [(0,), (0, 1, 2, 3, 8), (1, 3, 5), tuple(range(100))])
def test_cpu_list_survives_its_spelling(cpus: tuple[int, ...]) -> None:
    assert parse_cpu_list(format_cpu_list(cpus)) == cpus


@pytest.mark.parametrize(
    ("value", "cpus"),
    [(3, (3,)), ("0-2, 8", (0, 1, 2, 8)), ([4, 0], (0, 4)), ([4, "0-1"], (0, 1, 4)), ("7", (7,))],
)
def test_cpu_list_has_several_spellings(value: object, cpus: tuple[int, ...]) -> None:
    assert parse_cpu_list(value) == cpus


@pytest.mark.parametrize("value", ["-1", -1, "a", "1-", True, 1.5, None, {}, "0-99999", "1,,2"])
def test_wrong_cpu_list_is_told(value: object) -> None:
    with pytest.raises(QuantityError):
        parse_cpu_list(value)


@pytest.mark.parametrize("size", [1 << 20, 512 << 20, 1536 << 20, 2 << 30, 1 << 40])
def test_size_survives_its_spelling(size: int) -> None:
    assert parse_size(format_size(size)) == size
