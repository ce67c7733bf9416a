# SPDX-License-Identifier: Apache-2.0
"""What is left of an `up` that fails or is interrupted; all that would build or boot is a fake."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator import launch
from orchestrator.accelerator import Verdict
from orchestrator.errors import EnclaveError, EnvironmentFault, GuestError
from orchestrator.launch_options import LaunchOptions
from orchestrator.plan import Plan
from orchestrator.planning import load_plan
from orchestrator.run import RunFolder
from orchestrator.standby import Standby

PLAN = load_plan(Path(__file__).parents[2] / "specs" / "solo.yaml")


class FakeClient:
    """Fails or is interrupted while it waits."""

    def __init__(self, error: BaseException | None, down_error: EnclaveError | None = None) -> None:
        self.error = error
        self.down_error = down_error
        self.downs = 0

    def wait(self, on_event: object) -> dict[str, Any]:
        if self.error:
            raise self.error
        return {"enclave": "solo"}

    def down(self) -> None:
        self.downs += 1
        if self.down_error:
            raise self.down_error


class FakeStandby(Standby):
    def __init__(self, client: FakeClient) -> None:
        self.client = client

    def start(self, run: RunFolder, plan: Plan, options: LaunchOptions) -> Any:
        return self.client


class Teller:
    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []

    def step(self, name: str, what: str) -> None:
        self.steps.append((name, what))

    def event(self, event: dict[str, Any]) -> None:
        del event


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """All steps succeed until a test says otherwise."""
    monkeypatch.setenv("ENCLAVE_RUNTIME_DIR", str(tmp_path))
    for name in ("find_qemu", "ensure_layout", "require_room", "ensure_lwk", "_ensure_images"):
        monkeypatch.setattr(launch, name, lambda *arguments: None)
    monkeypatch.setattr(launch, "choose_accelerator", lambda *arguments: Verdict("tcg", "asked for"))
    return monkeypatch


def up(client: FakeClient) -> dict[str, Any]:
    return launch.launch(FakeStandby(client), PLAN, RunFolder("solo"), "auto", Teller())


def test_enclave_that_is_ready_stays_up(world: pytest.MonkeyPatch) -> None:
    client = FakeClient(None)
    assert up(client) == {"enclave": "solo"}
    assert client.downs == 0


def test_failure_takes_it_down_and_keeps_its_kind_and_words(world: pytest.MonkeyPatch) -> None:
    client = FakeClient(GuestError("lwk0: guest panicked", "`enclave restart lwk0` boots it again"))
    with pytest.raises(GuestError, match="lwk0: guest panicked") as caught:
        up(client)
    assert client.downs == 1
    assert caught.value.hint == f"everything was taken down; the logs are in {RunFolder('solo').path}"


def test_failure_of_a_kernel_names_the_story(world: pytest.MonkeyPatch) -> None:
    (RunFolder("solo").crashes / "1-lwk0").mkdir(parents=True)
    client = FakeClient(GuestError("lwk0: guest panicked"))
    with pytest.raises(GuestError) as caught:
        up(client)
    assert caught.value.hint.splitlines()[0] == "`enclave crash solo` tells the story"


@pytest.mark.parametrize("down_error", [None, EnclaveError("the supervisor is gone")])
def test_interrupt_takes_it_down_and_stays_an_interrupt(
    world: pytest.MonkeyPatch, down_error: EnclaveError | None
) -> None:
    client = FakeClient(KeyboardInterrupt(), down_error)
    with pytest.raises(KeyboardInterrupt):
        up(client)
    assert client.downs == 1


def test_lack_of_room_is_found_before_anything_is_built(world: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise EnvironmentFault("no room")

    def build(*arguments: object) -> None:
        raise AssertionError("built although there is no room")

    world.setattr(launch, "require_room", refuse)
    world.setattr(launch, "ensure_lwk", build)
    with pytest.raises(EnvironmentFault, match="no room"):
        up(FakeClient(None))


def test_accelerator_and_its_reason_are_told(world: pytest.MonkeyPatch) -> None:
    teller = Teller()
    launch.launch(FakeStandby(FakeClient(None)), PLAN, RunFolder("solo"), "tcg", teller)
    assert teller.steps == [("accel", "tcg (asked for)")]
