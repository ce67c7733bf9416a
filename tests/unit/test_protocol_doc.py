# SPDX-License-Identifier: Apache-2.0
"""docs/ikc-protocol.md is normative: what it says of offsets and values is what the C headers have."""

import re
from pathlib import Path

import pytest

from orchestrator.ikc_layout import Layout, compile_layout

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "ikc-protocol.md").read_text()

# In the headers, but private to the kernel that uses it.
PRIVATE = {"ikc_map", "ikc_stream"}

STRUCT = re.compile(r"^\*\*`struct (\w+)`\*\*, (\d+) bytes.*\n\n(?:\|.*\n){2}((?:\|.*\n)+)", re.MULTILINE)
FIELD = re.compile(r"^\| (\d+) \| (\d+) \| `(\w+)` \|", re.MULTILINE)
VALUE = re.compile(r"^\| `(IKC_\w+)` \| (\d+) \|", re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def layout() -> Layout:
    return compile_layout()


def size_of(layout: Layout, kind: str) -> int:
    return layout.structs[kind].size if kind in layout.structs else int(kind.removeprefix("u")) // 8


def test_doc_has_every_struct_with_its_size(layout: Layout) -> None:
    documented = {name: int(size) for name, size, _ in STRUCT.findall(DOC)}
    assert documented == {name: struct.size for name, struct in layout.structs.items() if name not in PRIVATE}


@pytest.mark.parametrize(("name", "rows"), [(name, rows) for name, _, rows in STRUCT.findall(DOC)])
def test_doc_has_every_field_where_the_headers_put_it(layout: Layout, name: str, rows: str) -> None:
    documented = [(int(offset), int(size), field) for offset, size, field in FIELD.findall(rows)]
    expected = []
    for field, place in layout.structs[name].fields.items():
        size = size_of(layout, place.type)
        for dimension in place.shape:
            size *= dimension
        expected.append((place.offset, size, field))
    assert documented == expected


def test_doc_has_every_number_that_has_a_name(layout: Layout) -> None:
    documented = {name: int(value) for name, value in VALUE.findall(DOC)}
    assert documented == {name: value for values in layout.enums.values() for name, value in values.items()}


def test_doc_is_of_this_abi_version(layout: Layout) -> None:
    version = f"{layout.constant('IKC_ABI_MAJOR')}.{layout.constant('IKC_ABI_MINOR')}"
    assert f"ABI version **{version}**" in DOC


def test_doc_has_the_sizes_of_the_rings(layout: Layout) -> None:
    for ring, slots in ("CONTROL", "IKC_CONTROL_SLOTS"), ("DATA", "IKC_DATA_SLOTS"):
        count = layout.constant(slots)
        largest = min(count * layout.constant("IKC_SLOT_DATA"), layout.constant("IKC_MESSAGE_MAX"))
        assert re.search(rf"^\| `IKC_RING_{ring}` \| \d \| {count} \| {largest} bytes \|$", DOC, re.MULTILINE)


def test_doc_has_the_sections_that_code_cites() -> None:
    sources = [
        path for folder in ("guest-kernels", "orchestrator") for path in (ROOT / folder).rglob("*.[chpy]*")
    ]
    cited = {
        section
        for path in sources
        if path.suffix in (".c", ".h", ".py")
        for section in re.findall(r'ikc-protocol\.md, "([^"]+)"', path.read_text())
    }
    assert {"Sleeping", "Rings", "Link states", "Kernel log", "Channels", "Lent payloads", "Trace"} <= cited
    assert cited <= set(HEADING.findall(DOC))


def test_doc_links_lead_to_sections() -> None:
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(DOC)}
    assert set(re.findall(r"\]\(#([^)]+)\)", DOC)) <= anchors
