# SPDX-License-Identifier: Apache-2.0
"""The verbs of control.sock that inject faults: checked words and numbers, for faults.py."""

from collections.abc import Awaitable, Callable, Mapping

from orchestrator.doorbell_faults import Rule
from orchestrator.enclave import Enclave
from orchestrator.faults import Faults, Pace
from orchestrator.request import Json, number, whole, word, word_or_none

SECONDS_MAX = 3600.0
RATE_MAX = 1e6
DELAY_MAX_S = 60.0


class FaultVerbs:
    def __init__(self, enclave: Enclave) -> None:
        self._faults = Faults(enclave)

    @property
    def verbs(self) -> Mapping[str, Callable[[Json, object], Awaitable[Json | None]]]:
        return {
            "pause": self._pause,
            "continue": self._continue,
            "doorbell-rule": self._add_rule,
            "doorbell-rules": self._rules,
            "doorbell-clear": self._clear,
            "storm": self._storm,
            "scribble": self._scribble,
        }

    async def _pause(self, request: Json, answer: object) -> Json:
        await self._faults.pause(word(request, "partition"))
        return {}

    async def _continue(self, request: Json, answer: object) -> Json:
        await self._faults.resume(word(request, "partition"))
        return {}

    async def _add_rule(self, request: Json, answer: object) -> Json:
        return self._faults.add_rule(
            Rule(
                self._peer_or_none(request, "from"),
                self._peer_or_none(request, "to"),
                None if request.get("vector") is None else whole(request, "vector"),
                number(request, "drop", 0, 1),
                number(request, "delay_s", 0, DELAY_MAX_S),
                number(request, "duplicate", 0, 1),
                whole(request, "seed"),
            )
        )

    def _peer_or_none(self, request: Json, key: str) -> int | None:
        name = word_or_none(request, key)
        return None if name is None else self._faults.peer(name)

    async def _rules(self, request: Json, answer: object) -> Json:
        return {"rules": self._faults.rules()}

    async def _clear(self, request: Json, answer: object) -> Json:
        return {"rules": self._faults.clear_rules()}

    async def _storm(self, request: Json, answer: object) -> Json:
        source, target = word(request, "from"), word(request, "to")
        count = await self._faults.storm(source, target, whole(request, "vector"), _pace(request))
        return {"count": count}

    async def _scribble(self, request: Json, answer: object) -> Json:
        count = await self._faults.scribble(
            word(request, "partition"),
            word(request, "group"),
            word_or_none(request, "peer"),
            whole(request, "seed"),
            _pace(request),
        )
        return {"count": count}


def _pace(request: Json) -> Pace:
    return Pace(number(request, "rate", 1, RATE_MAX), number(request, "seconds", 0, SECONDS_MAX))
