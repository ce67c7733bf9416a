# SPDX-License-Identifier: Apache-2.0
"""The profile of an `enclave up`, as JSON and as text for a terminal. Pure; prints nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.table import columns

Json = dict[str, Any]

BAR = 40  # characters for the whole time
SPENT, WAITED, REACHED = "#", ".", "|"
LONGEST = 3  # phases that the summary names


def since_up(boot: Json, began: float, loaded: float, checked: float, answered: Mapping[str, float]) -> Json:
    """What the supervisor tells (Client.profile), with what only `up` knows: all in seconds since it `began`.

    `loaded` is when this program was, `checked` when the spec was, `answered` when each Linux had done so by
    SSH; all by time.monotonic().
    """
    ordered = boot["began"]
    later = ordered - began
    up = [("program", began, loaded), ("spec", loaded, checked), ("builds, accelerator", checked, ordered)]
    partitions = [_later(each, later) for each in boot["partitions"]]
    for each in partitions:
        each["ssh"] = _rounded(answered[each["name"]] - began) if each["name"] in answered else None
    return {
        "up": [
            _phase({"name": name, "begin": a - began, "end": b - began, "waits": False}, 0)
            for name, a, b in up
        ],
        "partitions": partitions,
    }


def _later(boot: Json, by: float) -> Json:
    return {
        "name": boot["name"],
        "phases": [_phase(phase, by) for phase in boot["phases"]],
        "ready": None if boot["ready"] is None else _rounded(boot["ready"] + by),
        "links": {peer: _rounded(at + by) for peer, at in boot["links"].items()},
    }


def _phase(phase: Json, by: float) -> Json:
    return phase | {"begin": _rounded(phase["begin"] + by), "end": _rounded(phase["end"] + by)}


def _rounded(seconds: float) -> float:
    return round(seconds, 6)


# ---- text ----


def as_text(profile: Json) -> str:
    """A row for each phase, with a bar on the common scale; then what the enclave waited for."""
    whole = max(_ends(profile), default=0.0) or 1.0
    rows = [*_group("up", profile["up"], [], whole)]
    for each in profile["partitions"]:
        rows += _group(each["name"], each["phases"], list(_points(each)), whole)
    return "\n".join([columns(("PARTITION", "PHASE", "FROM", "TOOK", ""), rows), "", *_summary(profile)])


def _ends(profile: Json) -> Iterator[float]:
    for phases in (profile["up"], *(each["phases"] for each in profile["partitions"])):
        yield from (phase["end"] for phase in phases)
    for each in profile["partitions"]:
        yield from (at for _, at in _points(each))


def _points(partition: Json) -> Iterator[tuple[str, float]]:
    if partition["ready"] is not None:
        yield "READY", partition["ready"]
    if partition["links"]:
        last = max(partition["links"], key=lambda peer: partition["links"][peer])
        count = len(partition["links"])
        yield f"link to {last}" if count == 1 else f"{count} links, last to {last}", partition["links"][last]
    if partition["ssh"] is not None:
        yield "SSH answered", partition["ssh"]


def _group(
    name: str, phases: Sequence[Json], points: Sequence[tuple[str, float]], whole: float
) -> Iterator[tuple[str, ...]]:
    names = iter([name])
    for phase in phases:
        took = phase["end"] - phase["begin"]
        bar = _bar(phase["begin"], phase["end"], whole, WAITED if phase["waits"] else SPENT)
        yield next(names, ""), phase["name"], f"{phase['begin']:.3f}", f"{took:.3f}", bar
    for what, at in points:
        yield next(names, ""), what, f"{at:.3f}", "", _bar(at, at, whole, REACHED)


def _bar(begin: float, end: float, whole: float, mark: str) -> str:
    first, last = (min(BAR - 1, max(0, int(at / whole * BAR))) for at in (begin, end))
    return " " * first + mark * max(1, last - first)


def _summary(profile: Json) -> Iterator[str]:
    reached = [each for each in profile["partitions"] if each["ready"] is not None]
    if not reached:
        return
    last = max(reached, key=lambda each: float(each["ready"]))
    yield f"READY {last['ready']:.2f} s after `enclave up` began; {last['name']} was the last. Most of that:"
    path = [*profile["up"], *last["phases"]]
    for phase in sorted(path, key=lambda phase: float(phase["begin"] - phase["end"]))[:LONGEST]:
        took = phase["end"] - phase["begin"]
        waiting = ", waiting" if phase["waits"] else ""
        yield f"  {took:6.3f} s  {took / last['ready']:4.0%}  {phase['name']}{waiting}"
    yield f"{SPENT} at work   {WAITED} waiting for others   {REACHED} reached"
