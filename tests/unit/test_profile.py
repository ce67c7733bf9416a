# SPDX-License-Identifier: Apache-2.0
from typing import Any

from orchestrator.ikc import Status
from orchestrator.profile import Boot, boot_of
from orchestrator.profile_text import as_text, since_up
from orchestrator.records import as_json

LOG = """\
[    1.926429] Run /init as init process
[    2.354471] ikc 0000:00:02.0: link to lwk0: RUN, generations 1.1 and 1.1
[    2.395000] init: times: kernel 1.900000 file-systems 1.950000 libraries 2.100000 CPUs 2.200000 \
drivers 2.380000 network 2.390000 SSH-server 2.395000
"""


def status(entry_s: float, ready_s: float) -> Status:
    return Status(
        "READY", 1, 0, "DONE", 1, 1, 0, round(entry_s * 1e9), round(ready_s * 1e9), True, 0, "", None
    )


def events(name: str, *times: float) -> list[dict[str, Any]]:
    """A life begins, its QEMU is started and answers, it is READY; as far as there are times."""
    whole: list[dict[str, Any]] = [
        {"event": "state", "state": "BOOTING"},
        {"event": "started"},
        {"event": "answered"},
        {"event": "state", "state": "READY"},
    ]
    return [each | {"partition": name, "t": at} for each, at in zip(whole, times, strict=False)]


def spans(boot: Boot) -> dict[str, tuple[float, float]]:
    return {phase.name: (round(phase.begin, 3), round(phase.end, 3)) for phase in boot.phases}


def test_linux_from_the_supervisor_to_ready() -> None:
    boot = boot_of("host", "linux", events("host", 0.1, 0.2, 0.5, 3.4), status(2.3, 2.4), LOG)
    assert spans(boot) == {
        "supervisor": (0.0, 0.1),
        "files": (0.1, 0.2),
        "QEMU": (0.2, 0.5),
        "firmware": (0.5, 1.0),
        "kernel": (1.0, 2.9),
        "init: file systems": (2.9, 2.95),
        "init: libraries": (2.95, 3.1),
        "init: other CPUs": (3.1, 3.2),
        "init: drivers": (3.2, 3.3),
        "init: IKC module": (3.3, 3.38),
        "init: network": (3.38, 3.39),
        "init: SSH server": (3.39, 3.395),
        "READY is told": (3.395, 3.4),
    }
    assert [phase.name for phase in boot.phases if phase.waits] == ["init: other CPUs", "init: SSH server"]
    assert boot.ready == 3.4
    assert {peer: round(at, 3) for peer, at in boot.links.items()} == {"lwk0": 3.354}


def test_lwk_is_held_back_and_quick() -> None:
    log = "[    0.037746] ikc: ready\n[    0.044698] ikc: link to host runs, generations 10001 and 10001\n"
    boot = boot_of("lwk0", "lwk", events("lwk0", 0.4, 0.41, 0.55, 0.64), status(0.02, 0.04), log)
    assert spans(boot) == {
        "its turn": (0.0, 0.4),
        "files": (0.4, 0.41),
        "QEMU": (0.41, 0.55),
        "firmware": (0.55, 0.6),
        "kernel": (0.6, 0.62),
        "kernel: CPUs, READY": (0.62, 0.64),
    }
    assert boot.phases[0].waits
    assert round(boot.links["host"], 3) == 0.645


def test_guest_that_runs_before_its_qemu_was_heard() -> None:
    boot = boot_of("lwk0", "lwk", events("lwk0", 0.4, 0.41, 0.62, 0.64), status(0.02, 0.04), "")
    assert spans(boot)["QEMU"] == (0.41, 0.6)
    assert spans(boot)["firmware"] == (0.6, 0.6)


def test_only_the_present_life_counts() -> None:
    told = [*events("lwk0", 0.1, 0.2, 0.3, 0.4), *events("host", 0.2), *events("lwk0", 5.1, 5.2, 5.3)]
    boot = boot_of("lwk0", "lwk", told, status(0.02, 0.04), "")
    assert boot.ready is None
    assert spans(boot) == {"its turn": (0.0, 5.1), "files": (5.1, 5.2), "QEMU": (5.2, 5.3)}


def test_kernel_that_says_nothing_has_what_the_supervisor_saw() -> None:
    boot = boot_of("own", "custom", events("own", 0.1, 0.2, 0.3, 0.3), status(0, 0), "")
    assert list(spans(boot)) == ["its turn", "files", "QEMU"]
    assert boot.ready == 0.3
    assert boot_of("own", "custom", [], status(0, 0), "") == Boot("own", (), None, {})


def test_nonsense_of_a_guest_stays_within_what_was_seen() -> None:
    log = "init: times: kernel 999999.000000 drivers 0.000001 other 7.000000 network 1.000000\n"
    for said in (status(1e9, 2.4), status(2.3, 1e9), status(0, 1e-9)):
        boot = boot_of("host", "linux", events("host", 0.1, 0.2, 0.5, 3.4), said, log)
        ends = [phase.end for phase in boot.phases]
        assert ends == sorted(ends)
        assert min(phase.begin for phase in boot.phases) >= 0
        assert ends[-1] == 3.4


def test_profile_counts_from_the_beginning_of_up_and_names_what_took_longest() -> None:
    boots = [
        boot_of("host", "linux", events("host", 0.1, 0.2, 0.5, 3.4), status(2.3, 2.4), LOG),
        boot_of("lwk0", "lwk", events("lwk0", 0.4, 0.41, 0.55, 0.64), status(0.02, 0.04), ""),
    ]
    profile = since_up(
        {"began": 101.0, "partitions": as_json(boots)}, 100.0, 100.125, 100.25, {"host": 104.9}
    )
    host, lwk0 = profile["partitions"]
    assert (host["ready"], lwk0["ready"]) == (4.4, 1.64)
    assert (host["ssh"], lwk0["ssh"]) == (4.9, None)
    assert host["phases"][0] == {"name": "supervisor", "begin": 1.0, "end": 1.1, "waits": False}
    assert [phase["name"] for phase in profile["up"]] == ["program", "spec", "builds, accelerator"]
    assert [phase["end"] for phase in profile["up"]] == [0.125, 0.25, 1.0]

    text = as_text(profile)
    rows = [line.split() for line in text.splitlines()]
    assert ["host", "supervisor", "1.000", "0.100", "#"] in rows
    assert ["lwk0", "its", "turn", "1.000", "0.400", "..."] in rows
    assert ["SSH", "answered", "4.900", "|"] in rows
    assert "READY 4.40 s after `enclave up` began; host was the last. Most of that:" in text
    summary = text.split("Most of that:\n")[1].splitlines()
    assert summary[0].split() == ["1.900", "s", "43%", "kernel"]
