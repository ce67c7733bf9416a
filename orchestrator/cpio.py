# SPDX-License-Identifier: Apache-2.0
"""A tree of files as the cpio archive that Linux unpacks into its first file system.

The format is "newc" of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. Equal trees
give equal bytes: entries are sorted, times, owners and devices are 0, inode numbers are counted. Archives
may be written one after the other; the kernel unpacks them in turn, and the later one's files win.
"""

import stat
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"
# The kernel only looks for the next archive at a multiple of four bytes; 512 is what cpio(1) writes.
_BLOCK_SIZE = 512


class Entry(NamedTuple):
    """One file: `mode` as in st_mode, type included; `data` is a link's target, or empty for a folder."""

    mode: int
    data: bytes = b""


def folder(permissions: int = 0o755) -> Entry:
    return Entry(stat.S_IFDIR | permissions)


def regular_file(data: bytes, permissions: int = 0o644) -> Entry:
    return Entry(stat.S_IFREG | permissions, data)


def symbolic_link(target: str) -> Entry:
    return Entry(stat.S_IFLNK | 0o777, target.encode())


def archive(tree: Mapping[str, Entry]) -> bytes:
    """The archive of `tree`: paths without a leading slash. Parents that it lacks are added (0755)."""
    complete = {parent: folder() for path in tree for parent in _parents(path)} | dict(tree)
    parts = [_record(path, complete[path], inode) for inode, path in enumerate(sorted(complete), start=1)]
    parts.append(_record(_TRAILER, Entry(0), inode=0))
    whole = b"".join(parts)
    return whole + _padding(len(whole), _BLOCK_SIZE)


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _record(path: str, entry: Entry, inode: int) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    # inode, mode, uid, gid, links, mtime, size, device (2), represented device (2), name size, checksum
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(name), 0)
    head = _MAGIC + b"".join(b"%08X" % field for field in fields) + name
    return head + _padding(len(head), 4) + entry.data + _padding(len(entry.data), 4)


def _padding(size: int, alignment: int) -> bytes:
    return bytes(-size % alignment)
