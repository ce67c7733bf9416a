# SPDX-License-Identifier: Apache-2.0
"""Boots an enclave: the partitions of one virtual compute node, each a kernel in its own QEMU."""
