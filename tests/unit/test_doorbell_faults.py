# SPDX-License-Identifier: Apache-2.0
import pytest

from orchestrator.doorbell_faults import HARMLESS, Doorbell, Fate, Rule, applies, fate, parse_part

BELL = Doorbell(0, 1, 2)
MONITOR = 3
MANY = 4000


def fates(rule: Rule, doorbell: Doorbell = BELL) -> list[Fate]:
    return [fate(rule, doorbell, number) for number in range(MANY)]


def test_same_seed_gives_the_same_faults_in_whatever_order_they_are_asked() -> None:
    rule = Rule(drop=0.3, delay_s=0.01, duplicate=0.2, seed=7)
    assert list(reversed(fates(rule))) == [fate(rule, BELL, number) for number in reversed(range(MANY))]


def test_fates_stay_what_they_were_in_earlier_versions() -> None:
    rule = Rule(drop=0.5, seed=42)
    assert "".join("-x"[each.dropped] for each in fates(rule)[:32]) == "xx-x-xx--xxxxxxxx---xx--x-xxxxxx"


@pytest.mark.parametrize(
    "other", [Rule(drop=0.5, seed=8), Rule(drop=0.5, seed=7 + (1 << 40)), Rule(drop=0.5, seed=-7)]
)
def test_another_seed_gives_others(other: Rule) -> None:
    assert fates(Rule(drop=0.5, seed=7)) != fates(other)


@pytest.mark.parametrize("other", [Doorbell(1, 0, 2), Doorbell(0, 2, 2), Doorbell(0, 1, 3)])
def test_each_source_target_and_vector_has_faults_of_its_own(other: Doorbell) -> None:
    rule = Rule(drop=0.5, seed=7)
    assert fates(rule) != fates(rule, other)


def test_faults_come_as_often_as_asked() -> None:
    found = fates(Rule(drop=0.25, delay_s=2.0, duplicate=0.5, seed=1))
    alive = [each for each in found if not each.dropped]
    assert 0.22 < 1 - len(alive) / MANY < 0.28
    assert 0.45 < sum(each.duplicated for each in alive) / len(alive) < 0.55
    assert 0.9 < sum(each.delay_s for each in alive) / len(alive) < 1.1
    assert all(0 <= each.delay_s < 2 for each in alive)


def test_never_and_always() -> None:
    assert all(each == HARMLESS and each.harmless for each in fates(Rule(seed=3)))
    assert all(each.dropped for each in fates(Rule(drop=1.0)))
    assert all(each.duplicated for each in fates(Rule(duplicate=1.0)))


def test_rules_together_do_what_each_does() -> None:
    late, twice, lost = Fate(False, 0.5, False), Fate(False, 0.25, True), Fate(True, 0.0, False)
    assert late.and_then(twice) == Fate(False, 0.75, True)
    assert late.and_then(lost).dropped


@pytest.mark.parametrize(
    ("rule", "meant"),
    [
        (Rule(), True),
        (Rule(source=0), True),
        (Rule(source=1), False),
        (Rule(target=1, vector=2), True),
        (Rule(target=0), False),
        (Rule(vector=0), False),
    ],
)
def test_rule_means_what_it_names(rule: Rule, meant: bool) -> None:
    assert applies(rule, BELL, MONITOR) is meant


def test_monitors_doorbells_are_spared_unless_it_is_named() -> None:
    probe, answer = Doorbell(MONITOR, 1, 0), Doorbell(1, MONITOR, 0)
    assert not applies(Rule(), probe, MONITOR)
    assert not applies(Rule(target=1), probe, MONITOR)
    assert not applies(Rule(source=1), answer, MONITOR)
    assert applies(Rule(source=MONITOR), probe, MONITOR)
    assert applies(Rule(source=1, target=MONITOR), answer, MONITOR)
    assert not applies(Rule(source=2, target=MONITOR), answer, MONITOR)


@pytest.mark.parametrize(
    ("text", "part"), [("0", 0), ("1", 1), ("0.25", 0.25), ("1/8", 0.125), ("1e-3", 0.001)]
)
def test_part_is_read(text: str, part: float) -> None:
    assert parse_part(text) == part


@pytest.mark.parametrize("text", ["", "1/0", "1.5", "-1", "often", "3/2", "nan"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no probability"):
        parse_part(text)
