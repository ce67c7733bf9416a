# SPDX-License-Identifier: Apache-2.0
"""Partitions write nonsense over all that they may write, in each state of their links; nobody else cares.

Those whose links are held in RESET, INIT and READY stand still, and the words that hold their peers there are
stored from outside; the fourth runs, with traffic to it.
"""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from time import monotonic, sleep
from typing import Any

import pytest

from orchestrator.ikc import Region
from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from orchestrator.scribble_groups import GROUPS
from tests.e2e.conftest import HERE
from tests.e2e.shared_region import shared_region

SURVIVORS = ("host", "witness")
RUNNING = "in-run"
HELD = {"in-reset": "RESET", "in-init": "INIT", "in-ready": "READY"}
ASTRAY = (*HELD, RUNNING)
RATE = 5000
CONTROL = 0  # vector
WITHIN_S = 30.0
# What a link to one that writes such nonsense, and is spoken to, must go down for sooner or later.
REASONS = {
    "handshake": {"BAD_STATE", "PEER_RESET", "PEER_DEAD"},
    "cursors": {"BAD_TAIL"},
    "channels": {"BAD_CHANNEL"},
    "channel-cursors": {"BAD_TAIL"},
}
# One whose own word says that it is awake gets no doorbell: a stream to it then waits for as long as it may.
TRAFFIC = """
    for words in '--to' '--from' '--to --channel' '--from --channel'; do
        (until [ -e /tmp/stop ]; do timeout 1 ikcctl stream in-run $words --count 100; done) &
    done
    until [ -e /tmp/stop ]; do ikcctl ping in-run -c 100 -i 0.01 -W 0.05; done
    wait
"""
LOG_LINES_MAX = 400  # of one kernel for one group: what is not rate-limited has thousands
SLAB_KIB_MAX = 4096
COMPLAINT = re.compile(r"BUG|WARNING|Oops|Call Trace|soft lockup|hung task|panic|self-test failed")


@pytest.fixture(scope="module")
def astray(enclave_factory: EnclaveFactory) -> Iterator[Enclave]:
    with enclave_factory(HERE / "specs" / "scribbled.yaml") as enclave:
        yield enclave


@pytest.fixture(scope="module")
def region(astray: Enclave) -> Iterator[Region]:
    with shared_region(astray) as region:
        yield region


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = monotonic() + WITHIN_S
    while not holds():
        assert monotonic() < deadline, f"{what}: not within {WITHIN_S:g} s"
        sleep(0.02)


# ---- states that are held ----


def hold(region: Region, own: int, peer: int, state: str, ring: Callable[[], object]) -> None:
    """Brings the end of `peer` into that state, by words that the kernel of `own` could have written.

    It would have rung, too; without that they are only seen at the monitor's next probe.
    """
    ours, theirs = region.half(own, peer), region.half(peer, own)
    names = region.layout.enums["ikc_link_state"]

    def comes_to(state: str) -> None:
        ring()
        wait_until(
            lambda: theirs.load("state") == names[f"IKC_LINK_{state}"], f"link {peer} to {own} in {state}"
        )

    generation = (ours.load("lives") >> 32) + 1
    ours.store("state", names["IKC_LINK_RESET"])
    ours.store("lives", 0)
    comes_to("RESET")
    if state == "RESET":
        return
    ours.store("lives", generation << 32)
    comes_to("INIT")
    if state == "READY":
        ours.store("lives", generation << 32 | theirs.load("lives") >> 32)
        comes_to("READY")


def ring(astray: Enclave, name: str, peer: str) -> None:
    assert astray.storm(name, peer, CONTROL, rate=1000, seconds=0.001) == 1


def hold_all(astray: Enclave, region: Region) -> None:
    index = {each["name"]: each["index"] for each in astray.status()["partitions"]}
    for name in HELD:
        astray.fault(name, "pause")
    with ThreadPoolExecutor() as pool:
        for held in [
            pool.submit(hold, region, index[name], index[peer], state, partial(ring, astray, name, peer))
            for name, state in HELD.items()
            for peer in SURVIVORS
        ]:
            held.result()


# ---- what must hold ----


def linked(astray: Enclave) -> list[dict[str, Any]]:
    return list(json.loads(astray.host.succeed("ikcctl", "status", "--json"))["links"])


def slab_kib(astray: Enclave) -> int:
    return int(astray.host.succeed("sh", "-c", "awk '/^SUnreclaim/ {print $2}' /proc/meminfo"))


def log_of(astray: Enclave, survivor: str) -> list[str]:
    if survivor == "host":
        return astray.host.succeed("dmesg").splitlines()
    return astray.log(survivor).splitlines()


def reasons_of(region: Region, peer: int) -> set[str]:
    """Why the host's and the witness' ends last went down."""
    names = {value: name for name, value in region.layout.enums["ikc_reset_reason"].items()}
    return {
        names[region.half(survivor, peer).load("reset_reason")].removeprefix("IKC_RESET_")
        for survivor in range(len(SURVIVORS))
    }


def collect_reasons(region: Region, peer: int, running: Callable[[], bool]) -> set[str]:
    seen: set[str] = set()
    while running():
        seen |= reasons_of(region, peer)
        sleep(0.01)
    return seen


def scribble_all(astray: Enclave, region: Region, group: str, seconds: float, seed: int) -> set[str]:
    """All four at once; returns the reasons for which links to the running one went down."""
    peer = astray.partition(RUNNING)["index"]
    with ThreadPoolExecutor() as pool:
        scribbles = [
            pool.submit(astray.scribble, name, group, seed=seed + index, rate=RATE, seconds=seconds)
            for index, name in enumerate(ASTRAY)
        ]
        reasons = collect_reasons(region, peer, lambda: not all(each.done() for each in scribbles))
        for scribble in scribbles:
            assert scribble.result() == round(RATE * seconds)
    return reasons


def scribble_until_noticed(astray: Enclave, region: Region, group: str, seconds: float) -> set[str]:
    """Once, and again while nobody has looked at one of the words that stood wrong for a moment."""
    deadline = monotonic() + seconds + WITHIN_S
    reasons: set[str] = set()
    for seed in count(step=len(ASTRAY)):
        reasons |= scribble_all(astray, region, group, seconds, seed)
        if reasons & REASONS.get(group, reasons) or monotonic() > deadline:
            break
    return reasons


def survivors(astray: Enclave) -> list[dict[str, Any]]:
    same = ("name", "pid", "incarnation", "state")
    return [{key: astray.partition(name)[key] for key in same} for name in SURVIVORS]


def recover(astray: Enclave) -> None:
    astray.host.succeed("touch", "/tmp/stop")
    for name in ASTRAY:
        astray.fault(name, "kill")
        astray.wait_for(partial(is_dead, name), f"{name} to be dead", WITHIN_S)
        astray.restart(name)
    astray.wait_for(
        lambda status: all(set(each["links"].values()) == {"RUN"} for each in status["partitions"]),
        "every link to be in RUN",
        WITHIN_S,
    )
    astray.host.succeed("sh", "-c", "while pidof ikcctl >/dev/null; do usleep 20000; done; rm /tmp/stop")


def is_dead(name: str, status: dict[str, Any]) -> bool:
    return next(each["pid"] for each in status["partitions"] if each["name"] == name) is None


def go_astray(astray: Enclave, region: Region, group: str, seconds: float) -> None:
    before, slab = survivors(astray), slab_kib(astray)
    lines = {name: len(log_of(astray, name)) for name in SURVIVORS}
    hold_all(astray, region)
    astray.host.succeed("sh", "-c", f"({TRAFFIC}) </dev/null >/dev/null 2>&1 &")
    reasons = scribble_until_noticed(astray, region, group, seconds)
    astray.host.succeed("ikcctl", "stream", "witness", "--to", "--channel", "--count", "1000")
    astray.host.succeed("ikcctl", "stream", "witness", "--from", "--count", "1000")
    recover(astray)
    assert survivors(astray) == before
    assert reasons & REASONS.get(group, reasons), f"links went down only for {reasons}"
    for name in SURVIVORS:
        new = log_of(astray, name)[lines[name] :]
        assert not [line for line in new if COMPLAINT.search(line)]
        assert len(new) < LOG_LINES_MAX, f"{name} said {len(new)} lines"
    for name in ASTRAY:
        astray.host.succeed("ikcctl", "stream", name, "--to", "--channel", "--count", "200")
    assert astray.host.succeed("ikcctl", "channels", "--json") == ""
    assert slab_kib(astray) - slab < SLAB_KIB_MAX


@pytest.mark.parametrize("group", ["handshake", "cursors", "channels", "all"])
def test_nonsense_harms_nobody_else(group: str, astray: Enclave, region: Region) -> None:
    go_astray(astray, region, group, 2)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("group", GROUPS)
def test_a_minute_of_nonsense_harms_nobody_else(group: str, astray: Enclave, region: Region) -> None:
    go_astray(astray, region, group, 60)
