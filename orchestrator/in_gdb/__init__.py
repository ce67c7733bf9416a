# SPDX-License-Identifier: Apache-2.0
"""What runs inside gdb: commands for the LWK and for IKC, and what makes Debian's Linux readable.

gdb brings its own Python, without our packages: these modules import the standard library, `gdb` and each
other. All that they read they read through gdb, so they serve a live partition and a memory dump alike.
"""
