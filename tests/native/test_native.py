# SPDX-License-Identifier: Apache-2.0
"""The C tests of the IKC headers and of the Linux driver (tests/native/Makefile) as part of the suite.

The marker `made` names a target; make was at it since the suite began (conftest.py).
"""

from collections.abc import Callable

import pytest


@pytest.mark.made("check-headers")
def test_ikc_headers_stand_alone(require_made: Callable[[], None]) -> None:
    require_made()


@pytest.mark.made("check-programs")
@pytest.mark.timeout(900)
def test_ikc_headers_and_linux_driver_do_what_is_promised(require_made: Callable[[], None]) -> None:
    require_made()


@pytest.mark.made("check-fuzz")
@pytest.mark.timeout(900)
def test_ikc_headers_withstand_a_peer_that_libfuzzer_plays(require_made: Callable[[], None]) -> None:
    require_made()


@pytest.mark.made("check-mutants")
@pytest.mark.timeout(900)
def test_ikc_tests_find_faults_put_into_headers_and_driver(require_made: Callable[[], None]) -> None:
    require_made()


@pytest.mark.soak
@pytest.mark.made("soak")
@pytest.mark.timeout(3600)
def test_ikc_headers_and_linux_driver_do_what_is_promised_for_long(require_made: Callable[[], None]) -> None:
    require_made()
