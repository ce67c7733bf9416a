# SPDX-License-Identifier: Apache-2.0
import pytest

from orchestrator.ikc_layout import Layout, ensure_layout


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return ensure_layout(tmp_path_factory.mktemp("build"))
