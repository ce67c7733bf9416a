# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from orchestrator import enclave
from orchestrator.client import Client
from orchestrator.ikc_layout import Layout, ensure_layout
from tests.unit import fake_debian
from tests.unit.enclaves import SHORT, Computer

# By default an example that takes 200 ms fails: on a busy computer any may.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return ensure_layout(tmp_path_factory.mktemp("build"))


@pytest.fixture
def computer(tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Iterator[Computer]:
    made = Computer(tmp_path, layout)
    made.install(monkeypatch.setenv)
    yield made
    made.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, layout: Layout) -> Iterator[Client]:
    """An enclave for tests that leave it as it was."""
    computer = Computer(tmp_path_factory.mktemp("shared"), layout)
    with pytest.MonkeyPatch.context() as patch:
        computer.install(patch.setenv)
        client = computer.up("shared")
    yield client
    computer.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor is forked from here, and so has the same short deadlines."""
    monkeypatch.setattr(enclave, "patience", lambda accelerator, cpus: SHORT)
    monkeypatch.setattr("orchestrator.keeper.PROBE_EVERY_S", 0.1)


@pytest.fixture(scope="session")
def original_debian(tmp_path_factory: pytest.TempPathFactory) -> fake_debian.FakeDebian:
    return fake_debian.make(tmp_path_factory.mktemp("debian"))


@pytest.fixture
def fake(
    original_debian: fake_debian.FakeDebian, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> fake_debian.FakeDebian:
    made = fake_debian.copy(original_debian, tmp_path / "debian")
    monkeypatch.setenv("PATH", f"{made.programs}:/usr/bin:/bin")
    return made
