# SPDX-License-Identifier: Apache-2.0
"""The host's devices keep what they promise to programs: /dev/ikc and the windows (ikc_uapi.h)."""

from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import build_program, install

PROGRAM = "/tmp/ikc_device"
PEER = "lwk0"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("ikc_device", tmp_path_factory)


@pytest.fixture
def device(duo: Enclave, program: Path) -> Enclave:
    install(duo, program, PROGRAM)
    return duo


def peer_number(enclave: Enclave) -> str:
    return str(enclave.partition(PEER)["index"])


PROMISES = ["ports", "addresses", "echo", "refusal", "close", "back-pressure", "read-only"]


@pytest.mark.parametrize("promise", PROMISES)
def test_device_keeps_its_promise_of(promise: str, device: Enclave) -> None:
    device.host.succeed(PROGRAM, promise, peer_number(device))


def wait_for_line(enclave: Enclave, line: str, file: str) -> None:
    enclave.host.succeed("sh", "-c", f"until grep -qs '{line}' {file}; do usleep 10000; done")


def test_restart_of_a_peer_is_told_once_and_the_link_comes_back(device: Enclave) -> None:
    said = "/tmp/ikc_device.said"
    run = f"({PROGRAM} reset {peer_number(device)}; echo ended with $?) >{said} 2>&1 &"
    device.host.succeed("sh", "-c", run)
    wait_for_line(device, "restart it now", said)
    device.restart(PEER)
    wait_for_line(device, "ended with", said)
    assert device.host.succeed("cat", said).splitlines() == ["restart it now", "ended with 0"]


def test_kernel_does_io_on_the_pages_of_a_window(device: Enclave) -> None:
    device.host.succeed(PROGRAM, "window", f"/dev/ikc-window-{PEER}")
    device.restart(PEER)  # that was its memory, and lists of what is free are in what is free


def test_any_page_table_is_survived(duo: Enclave, tmp_path_factory: pytest.TempPathFactory) -> None:
    program = build_program("ikc_space", tmp_path_factory)
    install(duo, program, "/tmp/ikc_space")
    duo.host.succeed("/tmp/ikc_space", f"/dev/ikc-window-{PEER}")
    assert duo.partition(PEER)["state"] == "READY"


def test_module_is_not_unloaded_under_its_users(device: Enclave) -> None:
    done = device.host.run("sh", "-c", "exec 3</dev/ikc; rmmod ikc")
    assert done.status != 0
    assert "unavailable" in done.complaint or "in use" in done.complaint


def test_module_loaded_again_brings_the_links_up(device: Enclave) -> None:
    device.host.succeed("sh", "-c", "rmmod ikc && insmod /usr/lib/modules/ikc.ko && ikcctl ready")
    device.host.succeed("ikcctl", "stream", PEER, "--from", "--count", "100")
    assert device.partition("host")["state"] == "READY"
