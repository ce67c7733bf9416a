# SPDX-License-Identifier: Apache-2.0
"""A family of enclaves out of one template."""

from orchestrator.pytest_plugin import EnclaveFactory
from tests.e2e.conftest import ROOT

LWKS = 5


def test_member_of_a_family_boots_with_every_link_running(enclave_factory: EnclaveFactory) -> None:
    with enclave_factory(ROOT / "specs" / "family.yaml", lwks=LWKS) as enclave:
        names = {f"lwk{number}" for number in range(LWKS)}
        status = enclave.wait_for(
            lambda status: all(set(each["links"].values()) == {"RUN"} for each in status["partitions"]),
            "every link RUN",
        )
        assert {each["name"] for each in status["partitions"]} == names | {"host"}
        for name in names:
            enclave.host.succeed("ikcctl", "stream", name, "--from", "--count", "200")
