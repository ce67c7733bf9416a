# SPDX-License-Identifier: Apache-2.0
"""The base of every error that a person may see, and the exit status each one stands for.

    EnclaveError             1  it failed; what and why is in the text
    ├── UsageError           2  what a person wrote is wrong: a spec, an option, a kernel image
    ├── EnvironmentFault     3  this computer lacks something: QEMU, room, a right
    ├── GuestError           4  a guest kernel panicked, or ended by itself
    ├── DeadlineError        5  something did not happen in time
    └── HangError            6  a guest that was ready stopped answering

Concrete errors live beside the code that raises them and derive from one of these.
"""

from typing import Any, ClassVar


class EnclaveError(Exception):
    """An error told in words: `message` says what is wrong and where, `hint` says what would be right.

    Both may have several lines. `hint` is empty when the message already says what to do.
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message

    def as_json(self) -> dict[str, Any]:
        """What the other end of a socket makes this error of again (client.py)."""
        return {
            "kind": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "exit_status": self.exit_status,
        }


class UsageError(EnclaveError):
    """What a person wrote cannot be used; nothing was started."""

    exit_status = 2


class EnvironmentFault(EnclaveError):
    """This computer lacks something that the work needs; the hint says how to get it."""

    exit_status = 3


class GuestError(EnclaveError):
    """A guest kernel panicked or ended although nobody asked it to."""

    exit_status = 4


class DeadlineError(EnclaveError):
    """Something that was waited for did not happen in time; the message names it and the time given."""

    exit_status = 5


class HangError(EnclaveError):
    """A guest that had been ready does not answer any more, though its virtual machine lives."""

    exit_status = 6
