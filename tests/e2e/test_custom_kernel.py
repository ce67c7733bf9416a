# SPDX-License-Identifier: Apache-2.0
"""A kernel of one's own in a partition: one that speaks IKC, and one that has never heard of it."""

from pathlib import Path

import pytest

from orchestrator.lwk import LWK, ensure_lwk
from orchestrator.pytest_plugin import EnclaveFactory
from tests.e2e.conftest import ROOT

SPEC = (ROOT / "specs" / "solo.yaml").read_text()


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """The LWK as a stranger's kernel, beside the spec that names it."""
    ensure_lwk(lambda what: None)
    (tmp_path / "my-kernel").symlink_to(LWK)
    path = tmp_path / "custom.yaml"
    path.write_text(
        SPEC.replace("kernel: lwk", 'kernel: {path: my-kernel, cmdline: "loglevel=debug from-the-spec"}')
    )
    return path


def test_custom_kernel_boots_with_its_command_line_and_speaks_ikc(
    enclave_factory: EnclaveFactory, spec: Path
) -> None:
    with enclave_factory(spec) as enclave:
        status = enclave.partition("lwk0")
        assert (status["kernel"], status["state"]) == ("custom", "READY")
        enclave.host.succeed("ikcctl", "ping", "lwk0", "-c", "2", "-W", "30")
        assert 'command line "loglevel=debug from-the-spec"' in enclave.log("lwk0")
