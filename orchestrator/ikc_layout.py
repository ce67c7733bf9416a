# SPDX-License-Identifier: Apache-2.0
"""Where every byte of the IKC region is, read out of the C headers in guest-kernels/ikc.

The headers are the only definition. `ensure_layout` compiles them once per content and keeps what the
DWARF of the object says in build/ikc_layout.json, so that reading the layout needs no compiler.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.errors import EnclaveError, EnvironmentFault
from orchestrator.records import as_json

if TYPE_CHECKING:
    from elftools.dwarf.die import DIE

HEADERS = Path(__file__).parents[1] / "guest-kernels" / "ikc"
ROOT_STRUCT = "ikc_layout_roots"
_BYTES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


class Field(NamedTuple):
    """`type` is u8, u16, u32, u64 or the name of a struct; `shape` is the dimensions of an array of it."""

    offset: int
    type: str
    shape: tuple[int, ...] = ()


class Struct(NamedTuple):
    size: int
    fields: Mapping[str, Field]


class Layout(NamedTuple):
    """Structs and enums by their C names; every enumerator by its C name."""

    structs: Mapping[str, Struct]
    enums: Mapping[str, Mapping[str, int]]

    def constant(self, name: str) -> int:
        return self.enums["ikc_constant"][name]

    def unpack(self, struct: str, data: bytes) -> dict[str, int]:
        """The plain words of a struct that `data` begins with; none if that is too short for it."""
        if len(data) < self.structs[struct].size:
            return {}
        return {
            name: int.from_bytes(data[field.offset : field.offset + _BYTES[field.type]], "little")
            for name, field in self.structs[struct].fields.items()
            if field.type in _BYTES and not field.shape
        }

    def names(self, enum: str, prefix: str) -> dict[int, str]:
        """Values of an enum to their names without the prefix that C gives them all."""
        return {value: name.removeprefix(prefix) for name, value in self.enums[enum].items()}


def region_size(layout: Layout, partitions: int) -> int:
    """Bytes of a region for that many partitions: a power of two, as a PCI BAR must be."""
    end = halves_offset(layout, partitions) + partitions**2 * layout.structs["ikc_half"].size
    return 1 << (end - 1).bit_length()


def halves_offset(layout: Layout, partitions: int) -> int:
    return layout.constant("IKC_PAGE_SIZE") + partitions * layout.structs["ikc_partition"].size


def ensure_layout(build: Path) -> Layout:
    """The layout of the present headers; compiled if `build` has not got it yet.

    Raises EnvironmentFault if there is no C compiler, EnclaveError if the headers do not compile.
    """
    cache = build / "ikc_layout.json"
    key = _content_key()
    try:
        kept = json.loads(cache.read_text())
    except (OSError, ValueError):
        kept = {}
    if kept.get("key") == key:
        return _from_json(kept)
    layout = compile_layout()
    build.mkdir(parents=True, exist_ok=True)
    fresh = cache.with_name(f"{cache.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"key": key, **as_json(layout)}))
    fresh.replace(cache)
    return layout


def compile_layout() -> Layout:
    """Compiles ikc_layout.c and reads its DWARF."""
    compiler = shutil.which("gcc")
    if compiler is None:
        raise EnvironmentFault("gcc is not installed; the IKC headers cannot be read", "apt-get install gcc")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "ikc_layout.o"
        command = [compiler, "-std=gnu11", "-g", "-fno-eliminate-unused-debug-types", "-c"]
        result = subprocess.run(
            [*command, HEADERS / "ikc_layout.c", "-o", built], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise EnclaveError(
                f"the headers in {HEADERS} do not compile:\n{result.stderr.strip()}",
                "mend them, or `git checkout` them",
            )
        return _read_dwarf(built)


def _content_key() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(HEADERS.glob("ikc_*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _from_json(kept: dict[str, Any]) -> Layout:
    structs = {
        name: Struct(
            struct["size"],
            {
                field: Field(value["offset"], value["type"], tuple(value["shape"]))
                for field, value in struct["fields"].items()
            },
        )
        for name, struct in kept["structs"].items()
    }
    return Layout(structs, kept["enums"])


def _read_dwarf(path: Path) -> Layout:
    # Imported here: an `enclave up` with the cache in place has no use for it.
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        units = ELFFile(file).get_dwarf_info().iter_CUs()
        tops = [die for unit in units for die in unit.get_top_DIE().iter_children() if _is_ours(die)]
        structs = {_name(die): _struct(die) for die in tops if die.tag == "DW_TAG_structure_type"}
        enums = {_name(die): _enumerators(die) for die in tops if die.tag == "DW_TAG_enumeration_type"}
    del structs[ROOT_STRUCT]
    return Layout(structs, enums)


def _is_ours(die: "DIE") -> bool:
    return "DW_AT_name" in die.attributes and _name(die).startswith("ikc_")


def _name(die: "DIE") -> str:
    name: str = die.attributes["DW_AT_name"].value.decode()
    return name


def _struct(die: "DIE") -> Struct:
    members = [child for child in die.iter_children() if child.tag == "DW_TAG_member"]
    fields = {_name(member): _field(member) for member in members}
    return Struct(die.attributes["DW_AT_byte_size"].value, fields)


def _field(member: "DIE") -> Field:
    offset = member.attributes["DW_AT_data_member_location"].value
    die = _resolved(member)
    if die.tag != "DW_TAG_array_type":
        return Field(offset, _type_name(die))
    ranges = [child for child in die.iter_children() if child.tag == "DW_TAG_subrange_type"]
    shape = tuple(child.attributes["DW_AT_upper_bound"].value + 1 for child in ranges)
    return Field(offset, _type_name(_resolved(die)), shape)


def _resolved(die: "DIE") -> "DIE":
    """The type of a member or array behind its typedefs and qualifiers."""
    die = die.get_DIE_from_attribute("DW_AT_type")
    while die.tag in ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type"):
        die = die.get_DIE_from_attribute("DW_AT_type")
    return die


def _type_name(die: "DIE") -> str:
    if die.tag == "DW_TAG_structure_type":
        return _name(die)
    return f"u{die.attributes['DW_AT_byte_size'].value * 8}"


def _enumerators(die: "DIE") -> dict[str, int]:
    return {_name(child): child.attributes["DW_AT_const_value"].value for child in die.iter_children()}
