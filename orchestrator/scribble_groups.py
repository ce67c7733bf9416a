# SPDX-License-Identifier: Apache-2.0
"""All that a partition is the writer of, in groups of fields (ikc-protocol.md, "Partition" and "Links")."""

from collections.abc import Mapping

OF_PARTITION: Mapping[str, tuple[str, ...]] = {
    name: (name,) for name in ("status", "report", "log", "trace", "pool")
}
OF_HALF: Mapping[str, tuple[str, ...]] = {
    "handshake": ("lives", "state", "reset_reason", "reserved"),
    "cursors": ("cursors",),
    "counters": ("counters",),
    "channels": ("channel_turn", "channels"),
    "channel-cursors": ("channel_cursors",),
    "control-slots": ("control",),
    "data-slots": ("data",),
    "channel-slots": ("channel_slots",),
}
ALL = "all"
GROUPS = (*OF_PARTITION, *OF_HALF, ALL)
