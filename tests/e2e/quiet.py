# SPDX-License-Identifier: Apache-2.0
"""What tests leave on an enclave that others use after them: programs, channels, CPUs that stand still."""

import time

from orchestrator.pytest_plugin import Enclave

WITHIN_S = 30.0  # what was told to end may take a while on a busy computer
OF_THE_SYSTEM = ("/init", "dropbear ", "-sh")  # the last one at the console


def require_quiet(enclave: Enclave, after: str) -> None:
    """Raises AssertionError if it does not come to rest, and boots it again for the others then."""
    deadline = time.monotonic() + WITHIN_S
    while left := _at_work(enclave):
        if time.monotonic() > deadline:
            for partition in enclave:
                partition.restart()
            raise AssertionError(f"{after} left on {enclave.name}:\n" + "\n".join(left))
        time.sleep(0.05)


def _at_work(enclave: Enclave) -> list[str]:
    found = [f"program on the host: {line}" for line in _programs(enclave)]
    channels = enclave.host.succeed("ikcctl", "channels", "--json").splitlines()
    found += [f"channel: {line}" for line in channels]
    for each in enclave.status()["partitions"]:
        found += [f"{each['name']}: {what}" for what in ("paused", "debugger") if each[what]]
        if each["kernel"] == "lwk":
            memory = enclave.host.succeed("lwkexec", "-p", each["name"], "--memory").strip()
            found += [] if memory.startswith("0 processes") else [f"{each['name']}: {memory}"]
    return found


def _programs(enclave: Enclave) -> list[str]:
    """Command lines, but for threads of the kernel, what always runs, and the question itself."""
    question = "ps -o args"
    lines = enclave.host.succeed(*question.split()).splitlines()[1:]
    return [line for line in lines if not line.startswith(("[", *OF_THE_SYSTEM)) and question not in line]
