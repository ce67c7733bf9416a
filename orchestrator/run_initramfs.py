# SPDX-License-Identifier: Apache-2.0
"""The initramfs of one run: a copy of the image's, and the run's own keys in a small archive behind it, which
is how Linux takes more than one.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from orchestrator import cpio, ssh_keys


def write_run_initramfs(made_of: Mapping[Path, Path], user_key: Path, known_hosts: Path) -> None:
    """Writes a run's initramfs for each kind of Linux, by what it is made of, all with the same fresh keys;
    the user's private one (0600), and the host's public one."""
    keys = ssh_keys.generate()
    ssh_keys.write_private(user_key, keys.user_private)
    # For every address: QEMU will choose the port.
    known_hosts.write_text(f"* {keys.host_public}\n")
    for initramfs, original in made_of.items():
        shutil.copyfile(original, initramfs)
        with initramfs.open("ab") as archive:
            archive.write(cpio.archive(_tree_of_keys(keys)))


def _tree_of_keys(keys: ssh_keys.RunKeys) -> dict[str, cpio.Entry]:
    return {
        "etc/dropbear/host_key": cpio.regular_file(keys.host_private, 0o600),
        "root": cpio.folder(0o700),
        "root/.ssh": cpio.folder(0o700),
        "root/.ssh/authorized_keys": cpio.regular_file(f"{keys.user_public}\n".encode(), 0o600),
    }
