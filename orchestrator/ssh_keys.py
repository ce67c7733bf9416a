# SPDX-License-Identifier: Apache-2.0
"""The two key pairs of a run: the host's, which dropbear shows, and the user's, which it lets in as root."""

import base64
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ALGORITHM = b"ssh-ed25519"


@dataclass(frozen=True, slots=True)
class RunKeys:
    """`host_private` in dropbear's format, `user_private` in OpenSSH's, the public ones as a line of text."""

    host_private: bytes
    host_public: str
    user_private: bytes
    user_public: str


def generate() -> RunKeys:
    # Imported here: it takes longer than to generate the keys, and most commands need none.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    host, user = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    return RunKeys(
        host_private=_dropbear_format(host),
        host_public=_public_line(host),
        user_private=user.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ),
        user_public=_public_line(user),
    )


def write_private(path: Path, key: bytes) -> None:
    """Writes a file that only its owner could ever read; replaces one that is there."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)


def _public_line(key: "Ed25519PrivateKey") -> str:
    """RFC 8709, 4: two SSH strings in base64."""
    blob = _ssh_string(_ALGORITHM) + _ssh_string(key.public_key().public_bytes_raw())
    return f"{_ALGORITHM.decode()} {base64.b64encode(blob).decode()}"


def _dropbear_format(key: "Ed25519PrivateKey") -> bytes:
    """dropbear, ed25519.c, buf_put_ed25519_priv_key: two SSH strings, the name and both keys as one."""
    private = key.private_bytes_raw()
    return _ssh_string(_ALGORITHM) + _ssh_string(private + key.public_key().public_bytes_raw())


def _ssh_string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
