# SPDX-License-Identifier: Apache-2.0
"""The two key pairs of a run: the host's, which dropbear shows, and the user's, which it lets in as root.

The files are put together here, because `cryptography` takes longer to load its own code for that than to
make the keys, and every start of an enclave waits for it.
"""

import base64
import os
import struct
import textwrap
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ALGORITHM = b"ssh-ed25519"
# PROTOCOL.key of OpenSSH: what an unencrypted file begins with, and the unit that it is padded to.
_MAGIC = b"openssh-key-v1\0"
_BLOCK_BYTES = 8
_LINE_LENGTH = 70


class RunKeys(NamedTuple):
    """`host_private` in dropbear's format, `user_private` in OpenSSH's, the public ones as a line of text."""

    host_private: bytes
    host_public: str
    user_private: bytes
    user_public: str


class _KeyPair(NamedTuple):
    private: bytes
    public: bytes


def generate() -> RunKeys:
    host, user = _generate_pair(), _generate_pair()
    return RunKeys(_dropbear_file(host), _public_line(host), _openssh_file(user), _public_line(user))


def write_private(path: Path, key: bytes) -> None:
    """Writes a file that only its owner could ever read; replaces one that is there."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)


def _generate_pair() -> _KeyPair:
    key = Ed25519PrivateKey.generate()
    return _KeyPair(key.private_bytes_raw(), key.public_key().public_bytes_raw())


def _public_line(key: _KeyPair) -> str:
    return f"{_ALGORITHM.decode()} {base64.b64encode(_public_blob(key)).decode()}"


def _public_blob(key: _KeyPair) -> bytes:
    """RFC 8709, 4."""
    return _string(_ALGORITHM) + _string(key.public)


def _dropbear_file(key: _KeyPair) -> bytes:
    """dropbear, ed25519.c, buf_put_ed25519_priv_key."""
    return _string(_ALGORITHM) + _string(key.private + key.public)


def _openssh_file(key: _KeyPair) -> bytes:
    """PROTOCOL.key of OpenSSH, one key, without cipher, key derivation and comment."""
    # Two equal numbers show a reader of an encrypted file that it was decrypted; here they may be 0.
    secret = bytes(8) + _public_blob(key) + _string(key.private + key.public) + _string(b"")
    secret += bytes(range(1, 1 + -len(secret) % _BLOCK_BYTES))
    none, one = _string(b"none"), struct.pack(">I", 1)
    data = _MAGIC + none + none + _string(b"") + one + _string(_public_blob(key)) + _string(secret)
    lines = textwrap.wrap(base64.b64encode(data).decode(), _LINE_LENGTH)
    return "\n".join(
        ["-----BEGIN OPENSSH PRIVATE KEY-----", *lines, "-----END OPENSSH PRIVATE KEY-----", ""]
    ).encode()


def _string(data: bytes) -> bytes:
    """RFC 4251, 5: a length in front of the bytes."""
    return struct.pack(">I", len(data)) + data
