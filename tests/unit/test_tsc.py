# SPDX-License-Identifier: Apache-2.0
"""The frequency of a counter that we know, and of this computer's own."""

import platform
import time

import pytest

from orchestrator import tsc


class Clock:
    """Stands still but for 100 ns each time that it is read, and for sleeping."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def read_ns(self) -> int:
        self.ns += 100
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


def test_a_counter_of_three_gigahertz_is_measured_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    measurement = tsc.Measurement(lambda: clock.ns * 3, clock.read_ns)
    assert measurement.khz() == pytest.approx(3_000_000, rel=1e-6)


def test_time_that_has_passed_already_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    measurement = tsc.Measurement(lambda: clock.ns * 3, clock.read_ns)
    clock.sleep(1)
    before = clock.ns
    assert measurement.khz() == pytest.approx(3_000_000, rel=1e-6)
    assert clock.ns - before < 10_000


def test_a_reading_that_was_interrupted_is_not_used() -> None:
    readings = iter([0, 900_000, 1_000_000, 1_000_100, *range(2_000_000, 8_000_000, 1_000_000)])
    assert tsc.pair(lambda: 7, lambda: next(readings)) == (7, 1_000_050)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86 has a TSC")
def test_two_measurements_agree() -> None:
    measurements = [tsc.measure(), tsc.measure()]
    first, second = (measurement.khz() if measurement else 0 for measurement in measurements)
    assert 500_000 < first < 10_000_000
    assert first == pytest.approx(second, rel=1e-3)


def test_another_processor_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert tsc.measure() is None
