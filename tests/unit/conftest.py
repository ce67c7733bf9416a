# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from orchestrator.ikc_layout import Layout, ensure_layout
from tests.unit import fake_debian


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return ensure_layout(tmp_path_factory.mktemp("build"))


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
