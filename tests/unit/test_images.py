# SPDX-License-Identifier: Apache-2.0
"""The host's image out of a tiny Debian: what is in it, that it is the same each time, and a run's keys."""

import base64
import os
import shutil
import stat
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from orchestrator import host_kernel, host_programs, host_tree, images, source_kernel
from orchestrator.errors import EnvironmentFault, UsageError
from orchestrator.host_image import HostImage
from orchestrator.kinds import KernelKind
from orchestrator.run_initramfs import write_run_initramfs
from tests.unit import fake_debian, fake_linux_source

Build = Callable[..., HostImage]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of what guest-kernels/linux makes."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "ikc.ko").write_bytes(fake_debian.module(tmp_path, ""))
    (folder / "ikcctl").write_bytes(b"tool")
    (folder / "ikcctl").chmod(0o755)
    monkeypatch.setattr(host_programs, "ensure_host_programs", lambda *_: folder)
    return folder


@pytest.fixture
def build(fake: fake_debian.FakeDebian, programs: Path, tmp_path: Path) -> Build:
    def run(
        packages: Sequence[str] = (),
        files: Mapping[str, Path] | None = None,
        where: str = "build",
        kind: KernelKind = KernelKind.LINUX,
    ) -> HostImage:
        return images.ensure_host_image(tmp_path / where, kind, packages, files or {}, fake_debian.quiet)

    return run


def contents(initramfs: Path, into: Path) -> Path:
    into.mkdir(exist_ok=True)
    with initramfs.open("rb") as archive:
        subprocess.run(
            ["cpio", "-idu", "--quiet", "--no-absolute-filenames"], stdin=archive, cwd=into, check=True
        )
    return into


def test_kernel_is_the_elf_inside_the_bzimage(build: Build, tmp_path: Path) -> None:
    image = build()
    assert image.kernel.read_bytes() == fake_debian.pvh_kernel(tmp_path)
    assert image.kernel_version == fake_debian.RELEASE


def test_headers_are_of_the_same_version_and_can_be_moved(build: Build, tmp_path: Path) -> None:
    build()
    moved = tmp_path / "elsewhere"
    (tmp_path / "build").rename(moved)
    (headers,) = moved.glob(f"kernel/{fake_debian.RELEASE}_1-1/usr/src/linux-headers-{fake_debian.RELEASE}")
    said = subprocess.run(["make", "-C", headers], capture_output=True, text=True, check=True).stdout
    assert "from the common headers" in said


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda image: image.replace(b"HdrS", b"none"), "no bzImage"),
        (lambda image: image.replace(b"\x02\x21\x4c\x18", b"\x28\xb5\x2f\xfd"), "not packed by LZ4"),
        (lambda image: image[:-4] + b"\x01\0\0\0", "where it says 1"),
        (lambda image: image[:1], "no bzImage"),
    ],
)
def test_another_kind_of_kernel_image_is_refused(
    change: Callable[[bytes], bytes], complaint: str, tmp_path: Path
) -> None:
    image = fake_debian.bzimage(fake_debian.pvh_kernel(tmp_path))
    with pytest.raises(EnvironmentFault, match=complaint):
        host_kernel.extract_vmlinux(change(image))


def modules(root: Path, stage: str) -> list[str]:
    """Names of those that are loaded at a stage of the boot."""
    lines = (root / "etc/modules" / stage).read_text().splitlines()
    assert all((root / line.lstrip("/")).exists() for line in lines)
    return [Path(line).stem for line in lines]


def test_modules_are_listed_by_stage_and_in_load_order(build: Build, tmp_path: Path) -> None:
    root = contents(build().initramfs, tmp_path / "root")
    assert modules(root, "libraries") == ["virtio", "net_failover"]
    assert modules(root, "drivers") == ["virtio_pci", "virtio_net", "ikc"]
    assert modules(root, "last") == ["pvpanic", "pvpanic_pci"]


def test_an_added_module_comes_after_those_that_it_needs(build: Build, tmp_path: Path) -> None:
    module = tmp_path / "early.ko"
    module.write_bytes(fake_debian.module(tmp_path, "ikc,virtio"))
    image = build(files={"/lib/modules/early.ko": module, "/root/not-loaded.ko": module})
    root = contents(image.initramfs, tmp_path / "root")
    assert modules(root, "drivers")[-2:] == ["ikc", "early"]
    assert not [stage for stage in ("libraries", "drivers", "last") if "not-loaded" in modules(root, stage)]


def test_an_added_module_that_needs_an_unknown_one_is_refused(build: Build, tmp_path: Path) -> None:
    module = tmp_path / "own.ko"
    module.write_bytes(fake_debian.module(tmp_path, "nosuch"))
    with pytest.raises(UsageError, match="no module 'nosuch'"):
        build(files={"/lib/modules/own.ko": module})


def test_modules_are_without_signature_and_type_information(build: Build, tmp_path: Path) -> None:
    root = contents(build().initramfs, tmp_path / "root")
    assert fake_debian.SIGNATURE in fake_debian.module(tmp_path, "")
    module = (root / "usr/lib/modules/virtio_net.ko").read_bytes()
    assert fake_debian.SIGNATURE not in module
    assert fake_debian.TYPES not in module
    assert b"depends=virtio,net_failover" in module


def test_a_module_for_another_kernel_is_refused(build: Build, programs: Path, tmp_path: Path) -> None:
    (programs / "ikc.ko").write_bytes(fake_debian.module(tmp_path, "", vermagic="5.10.0 SMP"))
    with pytest.raises(UsageError, match=r"ikc\.ko is for '5\.10\.0 SMP'"):
        build()


@pytest.fixture
def source(fake: fake_debian.FakeDebian, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The release of a kernel that is built from source."""
    fake_linux_source.add(fake, tmp_path)
    monkeypatch.setattr(source_kernel, "missing_tools", list)
    return source_kernel.ensure_source_kernel(tmp_path / "build", fake_debian.quiet).release


def test_kernel_from_source_has_no_modules_but_ours(
    source: str, build: Build, programs: Path, tmp_path: Path
) -> None:
    ours = fake_debian.module(tmp_path, "", vermagic=fake_linux_source.VERMAGIC.format(source))
    (programs / "ikc.ko").write_bytes(ours)
    image = build(kind=KernelKind.SOURCE)
    assert image.kernel_version == source
    root = contents(image.initramfs, tmp_path / "root")
    assert [modules(root, stage) for stage in ("libraries", "drivers", "last")] == [[], ["ikc"], []]


def test_a_module_for_debians_kernel_is_refused_by_that_from_source(source: str, build: Build) -> None:
    with pytest.raises(UsageError, match=rf"the host runs Linux '{source} .*, but .*ikc\.ko is for"):
        build(kind=KernelKind.SOURCE)


def test_programs_are_where_init_looks_for_them(build: Build, tmp_path: Path) -> None:
    root = contents(build().initramfs, tmp_path / "root")
    assert (root / "sbin").readlink() == Path("usr/sbin")
    assert os.access(root / "sbin/ikcctl", os.X_OK)
    assert os.access(root / "init", os.X_OK)
    assert (root / "lib/x86_64-linux-gnu/libc.so.6").read_bytes() == b"libc"
    assert not (root / "usr/share/doc/libc6/copyright").exists()


def test_init_compiles_without_a_warning(tmp_path: Path) -> None:
    strict = ["-std=gnu11", "-O2", "-Werror", "-fanalyzer"]
    strict += ["-Wall", "-Wextra", "-Wshadow", "-Wvla", "-Wmissing-prototypes"]
    sources = sorted((host_tree.SOURCES / "init").glob("*.c"))
    header = f"-I{host_tree.SOURCES.parent / 'guest-kernels/linux/include'}"
    subprocess.run(["gcc", *strict, header, "-static", "-o", str(tmp_path / "init"), *sources], check=True)


def test_busybox_does_not_stand_in_front_of_a_real_program(build: Build, tmp_path: Path) -> None:
    plain = contents(build().initramfs, tmp_path / "plain")
    assert (plain / "usr/bin/nproc").readlink() == Path("/usr/bin/busybox")
    with_package = contents(build(["coreutils"]).initramfs, tmp_path / "with")
    assert (with_package / "usr/sbin/nproc").read_bytes() == b"the real one"
    assert not (with_package / "usr/bin/nproc").is_symlink()
    assert (with_package / "usr/bin/ls").readlink() == Path("/usr/bin/busybox")


def test_files_of_a_spec_keep_their_modes(build: Build, tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o750)
    (tmp_path / "link").symlink_to(script)
    image = build(files={"/opt/run": script, "/bin/one.sh": tmp_path / "link"})
    root = contents(image.initramfs, tmp_path / "root")
    assert stat.S_IMODE((root / "opt/run").stat().st_mode) == 0o750
    assert stat.S_IMODE((root / "usr/bin/one.sh").stat().st_mode) == 0o750


@pytest.mark.parametrize(
    ("inside", "complaint"), [("relative", "no path in the guest"), ("/x", "does not exist")]
)
def test_a_file_that_cannot_be_added_is_named(
    build: Build, tmp_path: Path, inside: str, complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        build(files={inside: tmp_path / "missing"})


def clone_with_umask(folder: Path, umask: int) -> Path:
    """The sources of the image as git writes them under another umask."""
    shutil.copytree(host_tree.SOURCES, folder)
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode & ~umask)
    return folder


def test_equal_content_gives_equal_bytes(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(["coreutils"], where="one")
    monkeypatch.setattr(host_tree, "SOURCES", clone_with_umask(tmp_path / "clone", 0o077))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    before = os.umask(0o077)
    try:
        second = build(["coreutils"], where="another/place")
    finally:
        os.umask(before)
    assert first.initramfs.parent.name == second.initramfs.parent.name
    assert first.initramfs.read_bytes() == second.initramfs.read_bytes()


def test_what_is_built_needs_neither_apt_nor_any_other_program(
    build: Build, fake: fake_debian.FakeDebian, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(["coreutils"])
    monkeypatch.setenv("PATH", "/nonexistent")
    assert build(["coreutils"]) == first


def test_changed_content_is_another_image(build: Build, programs: Path) -> None:
    first = build()
    (programs / "ikcctl").write_bytes(b"a newer tool")
    second = build()
    assert second.initramfs != first.initramfs
    assert first.initramfs.exists()


@pytest.fixture
def run(build: Build, tmp_path: Path) -> Path:
    """The files of a run."""
    folder = tmp_path / "run"
    folder.mkdir()
    made_of = {folder / "initramfs": build().initramfs}
    write_run_initramfs(made_of, folder / "id_ed25519", folder / "known_hosts")
    return folder


def guest_file(run: Path, path: str) -> bytes:
    """A file of the run's second archive, which GNU cpio does not reach."""
    second = run / "second"
    archive = (run / "initramfs").read_bytes()
    end_of_first = archive.index(b"TRAILER!!!")
    second.write_bytes(archive[archive.index(b"070701", end_of_first) :])
    return (contents(second, run / "unpacked") / path).read_bytes()


def test_the_users_key_is_let_in_and_private(run: Path) -> None:
    key = load_ssh_private_key((run / "id_ed25519").read_bytes(), None)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert guest_file(run, "root/.ssh/authorized_keys") == public + b"\n"
    assert stat.S_IMODE((run / "id_ed25519").stat().st_mode) == 0o600


def test_the_host_has_the_key_that_it_is_known_by(run: Path) -> None:
    blob = guest_file(run, "etc/dropbear/host_key")
    (name_size,) = struct.unpack(">I", blob[:4])
    assert blob[4 : 4 + name_size] == b"ssh-ed25519"
    (size,) = struct.unpack(">I", blob[4 + name_size : 8 + name_size])
    private, public = blob[-size:-32], blob[-32:]
    assert Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw() == public
    addresses, kind, known = (run / "known_hosts").read_text().split()
    assert (addresses, kind) == ("*", "ssh-ed25519")
    assert base64.b64decode(known)[-32:] == public


def test_keys_are_fresh_for_each_run(build: Build, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("initramfs", "id", "known")]
    made_of, keys = {paths[0]: build().initramfs}, paths[1:]
    write_run_initramfs(made_of, *keys)
    first = [path.read_bytes() for path in paths]
    write_run_initramfs(made_of, *keys)
    assert all(path.read_bytes() != old for path, old in zip(paths, first, strict=True))
