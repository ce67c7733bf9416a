# SPDX-License-Identifier: Apache-2.0
"""Data flows one way through the modules, and so do their imports (docs/architecture.md)."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "orchestrator"
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))

# In the order in which data flows. A module here imports only those before it, and no other of ours.
WAY_OF_A_SPEC = (
    "errors",
    "quantities",
    "topology",
    "kinds",
    "plan",
    "pci_slots",
    "kernel_image",
    "spec_error",
    "template",
    "yaml_tree",
    "spec",
    "spec_words",
    "spec_rules",
    "spec_file",
    "numa",
    "resolve",
    "computer",
    "placement",
    "qemu_command",
)

# With these a module could look at this computer, wait, or start something.
IMPURE = {
    "asyncio",
    "ctypes",
    "multiprocessing",
    "os",
    "platform",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "sys",
}
IMPURE |= {"tempfile", "threading", "time", "random", "secrets"}

MODELS = {"spec", "spec_words", "spec_file"}


@cache
def imports(module: str) -> frozenset[str]:
    """Dotted names of all that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "orchestrator":
            names |= {f"orchestrator.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return frozenset(names)


def own(module: str) -> set[str]:
    return {name.split(".")[1] for name in imports(module) if name.startswith("orchestrator.")}


def foreign(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports(module)}


@pytest.mark.parametrize("index", range(len(WAY_OF_A_SPEC)), ids=WAY_OF_A_SPEC)
def test_way_of_a_spec_goes_one_way(index: int) -> None:
    assert own(WAY_OF_A_SPEC[index]) <= set(WAY_OF_A_SPEC[:index])


@pytest.mark.parametrize("module", WAY_OF_A_SPEC)
def test_way_of_a_spec_is_pure(module: str) -> None:
    assert not foreign(module) & IMPURE


def test_no_module_imports_itself_in_a_circle() -> None:
    assert set(TopologicalSorter({module: own(module) for module in MODULES}).static_order()) == set(MODULES)


def test_pydantic_stays_where_a_persons_file_comes_in() -> None:
    assert {module for module in MODULES if "pydantic" in foreign(module)} == MODELS


def test_only_what_a_shell_calls_imports_the_command_line() -> None:
    assert [module for module in MODULES if "cli" in own(module)] == ["program"]


def test_only_the_command_line_may_print() -> None:
    printing = {
        module
        for module in MODULES
        for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing <= {"cli"}
