"""All settings, read once from the environment and ``.env``. .env.example has the same order."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.errors import ConfigError

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _split_words(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


def _find_home(value: Any) -> Any:
    """Replace ``~`` with the home folder, because no shell does it for values in ``.env``."""
    return os.path.expanduser(value) if isinstance(value, str) else value


_Device = Annotated[str, StringConstraints(pattern=r"^(none|cpu|mps|(cuda|rocm|xpu)(:\d{1,3})?)$")]
_Path = Annotated[Path, BeforeValidator(_find_home)]


class Settings(BaseSettings):
    """All settings. They cannot be changed later. An empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    discord_token: SecretStr | None = None
    discord_api_base: str | None = None
    model: Annotated[str | None, BeforeValidator(_find_home)] = None
    models_file: _Path | None = None
    model_config_folder: Annotated[str | None, BeforeValidator(_find_home)] = Field(
        default=None, validation_alias="MODEL_CONFIG"
    )
    vae: Annotated[str | None, BeforeValidator(_find_home)] = None
    hf_token: SecretStr | None = None
    device: Literal["auto", "cuda", "rocm", "xpu", "mps", "cpu"] = "auto"
    devices: Annotated[tuple[_Device, ...], NoDecode, BeforeValidator(_split_words)] = ()
    cluster: Annotated[str, StringConstraints(pattern=r"^[^\s/]+:\d{1,5}$")] | None = None
    cluster_token_file: _Path | None = None
    offload: Literal["auto", "none", "encoders", "model"] = "auto"
    quantization: Literal["none", "int8", "nf4"] = "none"
    deterministic: bool = False
    compile_unet: bool = Field(default=False, validation_alias="COMPILE")
    upscaler: Annotated[str | None, BeforeValidator(_find_home)] = None
    data_dir: _Path = Path("data")
    blocked_words: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_words)] = ()
    rules_file: _Path | None = None
    nsfw_threshold: float = Field(default=0.5, ge=0.05, le=0.95)
    previews: bool = True
    keep_pictures_days: int | None = Field(default=None, ge=1, le=36_500)
    keep_pictures_gib: float | None = Field(default=None, gt=0)
    max_waiting_per_member: int = Field(default=5, ge=1, le=1000)
    max_waiting_per_guild: int = Field(default=50, ge=1, le=10_000)
    max_waiting: int = Field(default=200, ge=1, le=2000)
    max_cost_per_member_per_hour: float = Field(default=60.0, gt=0)
    max_refused_per_member_per_hour: int = Field(default=60, ge=1, le=100_000)
    max_actions_per_member_per_minute: int = Field(default=60, ge=1, le=100_000)
    max_prompt_length: int = Field(default=2000, ge=1, le=6000)
    max_num_inference_steps: int = Field(default=100, ge=1, le=1000)
    max_side_pixels: int = Field(default=1536, ge=64, le=4096)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["plain", "json"] = "plain"
    monitor_port: int | None = Field(default=None, ge=1, le=65535)

    @field_validator("discord_api_base")
    @classmethod
    def _only_loopback(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            usable = parts.hostname in _LOOPBACK and bool(parts.port)
        except ValueError:
            usable = False
        if not usable or not re.fullmatch(r"http://[^/@?#]+/api/v10", value):
            raise ValueError(
                "must look like http://127.0.0.1:PORT/api/v10 (a stand-in on this machine); "
                "leave it empty to use Discord"
            )
        return value

    @field_validator("devices")
    @classmethod
    def _only_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        doubled = {device for device in value if value.count(device) > 1} - {"cpu"}
        if doubled:
            raise ValueError(f"names {', '.join(sorted(doubled))} twice; name each card once")
        if "none" in value and len(value) > 1:
            raise ValueError("names none and also devices; it must be one or the other")
        return value

    @model_validator(mode="after")
    def _draws_somewhere(self) -> Settings:
        if self.devices == ("none",) and self.cluster is None:
            raise ValueError("DEVICES is none, so CLUSTER must name the machines that draw")
        return self


def load_settings(**overrides: Any) -> Settings:
    """Read the settings. Raises ConfigError with a list of all faults, but without the values."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [f"  {_name_of(fault['loc'])}: {_clean(fault['msg'])}" for fault in error.errors()]
        raise ConfigError(
            "These settings (environment or .env) cannot be used; .env.example explains each:\n"
            + "\n".join(lines)
        ) from None
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigError(f".env cannot be read ({error}). It must be a UTF-8 text file.") from None


def _name_of(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "settings"


def _clean(message: str) -> str:
    return message.removeprefix("Value error, ")
