# SPDX-License-Identifier: Apache-2.0
"""What a spec may say, and what a person is told who wrote something else."""

import json
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
