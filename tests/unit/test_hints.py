# SPDX-License-Identifier: Apache-2.0
"""Every error that a person may see says what to do next: whoever raises one gives it a hint."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "orchestrator"
TREES = {path.name: ast.parse(path.read_text()) for path in PACKAGE.glob("*.py")}


def error_kinds() -> set[str]:
    """The class EnclaveError and all that derive from it, wherever they are."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    kinds: set[str] = set()
    found = {"EnclaveError"}
    while found - kinds:
        kinds |= found
        found = {name for name, parents in bases.items() if parents & kinds}
    return kinds


def test_every_error_is_raised_with_a_hint() -> None:
    kinds = error_kinds()
    assert {"UsageError", "SshError", "NotRunning"} <= kinds
    without = [
        f"{name}:{node.lineno}: {ast.unparse(node)[:80]}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in kinds
        and len(node.args) + len(node.keywords) < 2
    ]
    assert without == []
