# SPDX-License-Identifier: Apache-2.0
"""Fixtures for any project's tests."""
