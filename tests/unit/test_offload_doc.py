# SPDX-License-Identifier: Apache-2.0
"""docs/offload-protocol.md is normative: its messages are those of the header."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEADER = (ROOT / "guest-kernels" / "ikc" / "ikc_process.h").read_text()
DOC = (ROOT / "docs" / "offload-protocol.md").read_text()


def test_doc_has_every_kind_of_message_with_its_number() -> None:
    kinds = re.search(r"enum ikc_process_kind \{(.*?)\n\};", HEADER, re.DOTALL)
    assert kinds
    defined = dict(re.findall(r"^\t(IKC_PROCESS_\w+) = (\d+),", kinds[1], re.MULTILINE))
    assert dict(re.findall(r"^\| `(IKC_PROCESS_\w+)` \| (\d+) \|", DOC, re.MULTILINE)) == defined


def test_doc_is_of_this_version_and_has_the_bounds_of_memory() -> None:
    constants = dict(re.findall(r"(IKC_\w+)(?: =)? ((?:0x)?[0-9a-f]+)(?:ull)?\b", HEADER))
    assert f"Version **{constants['IKC_PROCESS_VERSION']}**" in DOC
    plain = DOC.replace("_0000", "0000")
    for name in ("IKC_USER_START", "IKC_USER_END"):
        assert f"`{name}` ({constants[name]})" in plain
