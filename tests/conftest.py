# SPDX-License-Identifier: Apache-2.0
import signal

import hypothesis

pytest_plugins = ("pytester",)

# How long an example takes says more about the computer than about the code.
hypothesis.settings.register_profile("any computer", deadline=None)
hypothesis.settings.load_profile("any computer")

# A shell lets what it starts in the background ignore interrupts; the tests of interrupts need them.
signal.signal(signal.SIGINT, signal.default_int_handler)

# nohup(1) does so with hangups. Unlike "ignored", a handler is not inherited: whom we start has the default.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)
