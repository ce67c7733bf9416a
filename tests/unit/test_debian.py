# SPDX-License-Identifier: Apache-2.0
"""Packages chosen and fetched through apt: what is asked when, and what its failures are told as."""

from pathlib import Path

import pytest

from orchestrator import debian
from orchestrator.errors import EnvironmentFault, UsageError
from tests.unit import fake_debian


@pytest.fixture
def pool(tmp_path: Path) -> debian.Pool:
    return debian.Pool(tmp_path / "pool")


def test_dependencies_are_selected_too(fake: fake_debian.FakeDebian, pool: debian.Pool) -> None:
    selected = debian.select_with_dependencies(pool, ["dropbear-bin"])
    assert [package.name for package in selected] == ["dropbear-bin", "libc6"]
    assert selected[0].version == "1-1"


def test_epoch_in_a_file_name_is_part_of_the_version() -> None:
    assert debian.Package("busybox-static_1%3a1.35.0-4_amd64.deb", 1).version == "1:1.35.0-4"


def test_unknown_package_is_named_with_near_matches(fake: fake_debian.FakeDebian, pool: debian.Pool) -> None:
    with pytest.raises(UsageError, match="'coreutil'") as caught:
        debian.select_with_dependencies(pool, ["dropbear-bin", "coreutil"])
    assert "coreutils" in caught.value.hint


@pytest.mark.parametrize("name", ["--reinstall", "coreutils-", "coreutils=1-1", "core.*", ""])
def test_what_apt_would_take_for_something_else_is_an_unknown_package(
    fake: fake_debian.FakeDebian, pool: debian.Pool, name: str
) -> None:
    with pytest.raises(UsageError, match="no Debian package named"):
        debian.select_with_dependencies(pool, [name])


def test_packages_that_exclude_each_other_are_named(fake: fake_debian.FakeDebian, pool: debian.Pool) -> None:
    fake.complain("E: Unable to correct problems, you have held broken packages.\n", verb="install")
    with pytest.raises(UsageError, match="dropbear-bin, libc6"):
        debian.select_with_dependencies(pool, ["dropbear-bin", "libc6"])


def test_no_network_is_an_environment_fault(fake: fake_debian.FakeDebian, pool: debian.Pool) -> None:
    selected = debian.select_with_dependencies(pool, ["libc6"])
    fake.complain("E: Failed to fetch http://nowhere/libc6.deb  Could not resolve 'nowhere'\n")
    with pytest.raises(EnvironmentFault, match="Could not resolve") as caught:
        debian.download(pool, selected, fake_debian.quiet)
    assert "network" in caught.value.hint


def test_old_package_lists_are_told_to_be_updated(fake: fake_debian.FakeDebian, pool: debian.Pool) -> None:
    selected = debian.select_with_dependencies(pool, ["libc6"])
    fake.complain("E: Failed to fetch http://nowhere/libc6.deb  404  Not Found\n")
    with pytest.raises(EnvironmentFault) as caught:
        debian.download(pool, selected, fake_debian.quiet)
    assert "apt-get update" in caught.value.hint


def test_no_package_lists_are_told_to_be_fetched(fake: fake_debian.FakeDebian, pool: debian.Pool) -> None:
    for archive in fake.repository.glob("*.deb"):
        archive.unlink()
    with pytest.raises(EnvironmentFault) as caught:
        debian.select_with_dependencies(pool, ["libc6"])
    assert "apt-get update" in caught.value.hint


def test_a_computer_without_apt_is_an_environment_fault(
    pool: debian.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EnvironmentFault, match="apt-cache is not on this computer"):
        debian.select_with_dependencies(pool, ["libc6"])


def test_a_selection_is_kept(fake: fake_debian.FakeDebian, pool: debian.Pool) -> None:
    first = debian.selected(
        pool, "some", lambda: debian.select_with_dependencies(pool, ["libc6"]), fake_debian.quiet
    )
    fake.complain("E: nothing works any more")
    assert (
        debian.selected(
            pool, "some", lambda: debian.select_with_dependencies(pool, ["libc6"]), fake_debian.quiet
        )
        == first
    )


def test_a_selection_that_could_not_be_fetched_is_not_kept(
    fake: fake_debian.FakeDebian, pool: debian.Pool
) -> None:
    fake.complain("E: Failed to fetch http://nowhere/x.deb  Could not resolve 'nowhere'\n", verb="download")
    with pytest.raises(EnvironmentFault):
        debian.selected(
            pool, "some", lambda: debian.select_with_dependencies(pool, ["libc6"]), fake_debian.quiet
        )
    assert not list(pool.root.glob("selections/*"))


def test_what_was_downloaded_is_not_fetched_again(fake: fake_debian.FakeDebian, pool: debian.Pool) -> None:
    selected = debian.select_with_dependencies(pool, ["dropbear-bin"])
    debian.download(pool, selected, fake_debian.quiet)
    (pool.archives / selected[0].archive).unlink()
    debian.download(pool, selected, fake_debian.quiet)
    assert fake.calls()[-1] == "apt-get download dropbear-bin=1-1"
    before = len(fake.calls())
    debian.download(pool, selected, fake_debian.quiet)
    assert len(fake.calls()) == before


def test_a_broken_archive_leaves_no_folder(pool: debian.Pool) -> None:
    package = debian.Package("broken_1_amd64.deb", 3)
    pool.archives.mkdir(parents=True)
    (pool.archives / package.archive).write_bytes(b"bad")
    with pytest.raises(EnvironmentFault, match="dpkg-deb"):
        debian.unpack(pool, package)
    assert [path.name for path in pool.root.rglob("*") if path.is_dir()] == ["archives", "unpacked"]
