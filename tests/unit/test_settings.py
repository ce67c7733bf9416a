# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.settings import Settings, load_settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = tmp_path / "enclave" / "config.toml"
    made.parent.mkdir()
    return made


def test_without_a_file_nothing_is_set(file: Path) -> None:
    assert load_settings() == Settings()


def test_what_is_set_is_taken(file: Path) -> None:
    file.write_text('spec = "my.yaml"\naccelerator = "tcg"\ncolour = "never"\n')
    assert load_settings() == Settings(file.parent / "my.yaml", "tcg", "never")


def test_specs_of_absolute_paths_and_of_home(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    file.write_text('spec = "~/a.yaml"')
    assert load_settings().spec == Path("/home/somebody/a.yaml")
    file.write_text('spec = "/b.yaml"')
    assert load_settings().spec == Path("/b.yaml")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            'color = "never"',
            "unknown key 'color'",
            "did you mean 'colour'? there are: spec, accelerator, colour",
        ),
        ('verbosity = "3"', "unknown key 'verbosity'", "there are: spec, accelerator, colour"),
        ('accelerator = "xen"', "accelerator is 'xen'", "it can be: auto, kvm, tcg"),
        ("colour = true", "colour is True", "it can be: auto, always, never"),
        ("spec = 1", "spec is 1", "it can be: the path of a file"),
        ("spec = duo.yaml", "is no TOML: Invalid value (at line 1, column 8)", "a line of it is: spec ="),
    ],
)
def test_what_cannot_be_used_is_told(file: Path, text: str, message: str, hint: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        load_settings()
    assert str(file) in raised.value.message
    assert message in raised.value.message
    assert raised.value.hint.startswith(hint)


def test_relative_config_home_counts_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the XDG Base Directory Specification has it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "config")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config" / "enclave").mkdir(parents=True)
    (tmp_path / ".config" / "enclave" / "config.toml").write_text('colour = "always"')
    assert load_settings().colour == "always"
