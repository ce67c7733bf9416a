# SPDX-License-Identifier: Apache-2.0
"""What a plan leaves open, and the computer that it runs on decides."""

from pathlib import Path
from typing import NamedTuple

from orchestrator.host_image import HostImage
from orchestrator.ikc_layout import Layout


class LaunchOptions(NamedTuple):
    """`accelerator` is "kvm" or "tcg"; `host_image` is what each Linux partition boots, `lwk` what each LWK
    does; `tsc_khz` is the frequency of the guests' TSC, 0 if not known."""

    accelerator: str
    layout: Layout
    host_image: HostImage
    lwk: Path
    tsc_khz: int = 0
