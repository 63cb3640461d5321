"""Settings: every fault at once, secrets never shown, .env.example complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[1]
SECRET = "MTA-very-secret-token"


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in names():
        monkeypatch.delenv(name, raising=False)


def names() -> list[str]:
    """The variables, in the order of the class."""
    return [
        str(field.validation_alias or name).upper() for name, field in Settings.model_fields.items()
    ]


def test_without_anything_the_defaults_hold():
    settings = load_settings()
    assert settings.data_dir == Path("data")
    assert (settings.discord_token, settings.model, settings.device) == (None, None, "auto")


def test_environment_comes_before_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text("MAX_WAITING=7\nMAX_WAITING_PER_GUILD=8\nUNKNOWN=1\n")
    monkeypatch.setenv("MAX_WAITING", "9")
    settings = load_settings()
    assert (settings.max_waiting, settings.max_waiting_per_guild) == (9, 8)


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch):
    for name in names():
        monkeypatch.setenv(name, "")
    assert load_settings() == Settings()


def test_every_fault_is_listed_at_once_by_name(monkeypatch: pytest.MonkeyPatch):
    faults = {
        "DISCORD_API_BASE": "https://discord.com/api/v10",
        "DEVICE": "tpu",
        "MAX_WAITING": "many",
        "MAX_WAITING_PER_MEMBER": "0",
        "MAX_COST_PER_MEMBER_PER_HOUR": "-1",
        "MAX_SIDE_PIXELS": "63",
        "LOG_LEVEL": "loud",
    }
    for name, value in faults.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    first, *lines = str(caught.value).splitlines()
    assert ".env.example" in first
    assert {line.split(":")[0].strip() for line in lines} == faults.keys()
    assert all(len(line.split(": ", 1)[1]) > 10 for line in lines)
    assert "Value error" not in str(caught.value)


def test_secrets_are_in_no_text(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    settings = load_settings()
    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == SECRET
    monkeypatch.setenv("MAX_WAITING", SECRET)
    monkeypatch.setenv("DISCORD_API_BASE", f"http://{SECRET}@127.0.0.1/api/v10")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert SECRET not in f"{caught.value}{caught.value!r}{caught.value.__cause__}"


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().max_waiting = 3


@pytest.mark.parametrize(
    "base",
    [
        "http://127.0.0.1:8080/api/v10",
        "http://localhost:1/api/v10",
        "http://[::1]:65535/api/v10",
    ],
)
def test_stand_in_on_this_machine_may_be_used(base: str):
    assert load_settings(discord_api_base=base).discord_api_base == base


@pytest.mark.parametrize(
    "base",
    [
        "https://127.0.0.1:8080/api/v10",
        "http://discord.com:80/api/v10",
        "http://10.0.0.1:8080/api/v10",
        "http://127.0.0.1/api/v10",
        "http://127.0.0.1:8080",
        "http://127.0.0.1:8080/api/v9",
        "http://127.0.0.1:8080/api/v10/",
        "http://127.0.0.1:8080/api/v10?x=1",
        "http://127.0.0.1:8080/api/v10#x",
        "http://127.0.0.1:8080@evil.example:80/api/v10",
        "http://127.0.0.1.evil.example:80/api/v10",
        "http://user:password@127.0.0.1:8080/api/v10",
        "http://127.0.0.1:0/api/v10",
        "http://127.0.0.1:99999/api/v10",
        "http://[::1/api/v10",
        "127.0.0.1:8080",
        "ftp://127.0.0.1:8080/api/v10",
    ],
)
def test_nothing_else_is_taken_for_discord(base: str):
    with pytest.raises(ConfigError, match=r"DISCORD_API_BASE: must look like http://127\.0\.0\.1"):
        load_settings(discord_api_base=base)


def test_blocked_words_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BLOCKED_WORDS", " gore, very bad ,,ö")
    assert load_settings().blocked_words == ("gore", "very bad", "ö")


def test_single_file_model_takes_its_config_from_a_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MODEL_CONFIG", "some/folder")
    assert load_settings().model_config_folder == "some/folder"


def test_home_folder_is_found_in_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("MODEL", "MODEL_CONFIG", "DATA_DIR", "RULES_FILE"):
        monkeypatch.setenv(name, f"~/{name}")
    settings = load_settings()
    assert settings.model == str(tmp_path / "MODEL")
    assert settings.model_config_folder == str(tmp_path / "MODEL_CONFIG")
    assert settings.data_dir == tmp_path / "DATA_DIR"
    assert settings.rules_file == tmp_path / "RULES_FILE"


def test_env_file_that_is_no_text_is_a_sentence(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"BLOCKED_WORDS=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"\.env"):
        load_settings()


def test_example_file_has_every_setting_in_order_with_one_line_of_comment():
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    assert len(lines) == 2 * len(names())
    comments, assignments = lines[::2], lines[1::2]
    assert all(re.match(r"# \S.{10,}", comment) for comment in comments)
    assert [line.split("=")[0] for line in assignments] == names()


def test_example_file_as_it_is_means_the_defaults(tmp_path: Path):
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text("utf-8"), "utf-8")
    assert load_settings() == Settings(_env_file=None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"devices": "cuda:0,cuda:0"}, "names cuda:0 twice"),
        ({"devices": "cuda:0,none"}, "one or the other"),
        ({"devices": "none"}, "CLUSTER must name"),
        ({"devices": "gpu"}, "DEVICES"),
        ({"cluster": "192.168.1.5"}, "CLUSTER"),
        ({"cluster": "http://192.168.1.5:6379"}, "CLUSTER"),
    ],
)
def test_devices_and_machines_that_cannot_be_are_refused(values: dict[str, str], words: str):
    with pytest.raises(ConfigError, match=words):
        load_settings(**values)


def test_devices_and_machines_are_read():
    settings = load_settings(devices="cuda:0, cuda:1", cluster="pc.local:6379")
    assert settings.devices == ("cuda:0", "cuda:1")
    assert load_settings(devices="none", cluster="pc.local:6379").devices == ("none",)
    assert load_settings(devices="cpu,cpu").devices == ("cpu", "cpu")
