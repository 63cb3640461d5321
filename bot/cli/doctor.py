"""triptych doctor: prints one line for each check, which says ok or what to do."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bot.cluster.nodes import check_ray, check_token, find_token_file
from bot.engine import ModelSource, check_model, measure_need, read_device
from bot.errors import ConfigError, DataDirLocked, StoreError
from bot.ops.resources import (
    choose_model_source,
    choose_model_sources,
    describe_ignored,
    get_migrations_folder,
    load_models,
    make_model_source,
)
from bot.services import make_picture_check, make_policy, make_upscaler
from bot.settings import Settings, load_settings
from bot.store import DATABASE_FILE_NAME, DataDirLock, check_not_lost
from bot.texts.codes import Code

_MIN_FREE_BYTES = 2 * 10**9
_SAFE_SQLITE = (3, 51, 3)
_DEVICE_SECONDS = 120
_CONNECT_SECONDS = 5.0
_DEVICE_PROBE = "from bot.engine.hardware import main; main()"
"""Runs in a separate process: importing torch takes seconds, and a broken driver can crash it."""

_COUNT_FOREIGN = "SELECT count(*) FROM job WHERE reason_code = ? AND ended_at > ?"
_DAY_SECONDS = 86400
_FOREIGN = (
    "Stop the other program. If you do not know it, reset the token (Reset Token on the Bot page "
    "of https://discord.com/developers/applications) and put the new one into .env."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: one line of the report."""

    ok: bool
    label: str
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        lines = f"{'ok   ' if self.ok else 'FAULT'} {self.label}: {self.detail}"
        return f"{lines}\n      → {self.remedy}" if self.remedy else lines


async def examine() -> list[Finding]:
    """Run every check. If one finds a fault, the others still run."""
    findings = [Finding(True, "Python", ".".join(map(str, sys.version_info[:3])))]
    try:
        settings = load_settings()
    except ConfigError as error:
        return [*findings, Finding(False, "Settings", str(error), "Correct them and try again.")]
    torch, card_bytes = await asyncio.to_thread(_check_torch, settings)
    findings += [
        Finding(True, "Settings", "all can be used"),
        torch,
        *await asyncio.to_thread(_check_models, settings, can_build=torch.ok),
        *await asyncio.to_thread(_check_memory, settings, card_bytes),
        await asyncio.to_thread(_check_upscaler, settings),
        await asyncio.to_thread(_check_rules, settings),
        await asyncio.to_thread(_check_pictures, settings),
        await asyncio.to_thread(_check_disk, settings),
        await asyncio.to_thread(_check_database, settings),
    ]
    if settings.cluster is not None:
        findings.append(await asyncio.to_thread(_check_cluster, settings))
    return findings + [finding async for finding in _check_discord(settings)]


def _check_torch(settings: Settings) -> tuple[Finding, int]:
    """Also return the memory of the smallest card in bytes; 0 if it is not known."""
    try:
        label = f"torch {version('torch')}"
    except PackageNotFoundError:
        remedy = "Install Triptych again: pip install . (see README)."
        return Finding(False, "torch", "not installed", remedy), 0
    setting = "DEVICES" if settings.devices else "DEVICE"
    details, sizes = [], []
    for wish in dict.fromkeys(settings.devices or (settings.device,)):
        probe = _run_probe(wish)
        if probe is None:
            remedy = "Reinstall torch for this machine: https://pytorch.org/get-started/locally/"
            return Finding(False, label, "cannot be loaded", remedy), 0
        device, detail, size = probe
        if not device:
            return Finding(False, label, f"{setting} names {wish}, and there is none", detail), 0
        note = " (only the starter model is quick on a CPU)" if device == "cpu" else ""
        sizes.append(size)
        details.append(f"{wish if settings.devices else device}, {detail}{note}")
    return Finding(True, label, f"draws on {'; '.join(details)}"), min(sizes)


def _run_probe(device: str) -> tuple[str, str, int] | None:
    """Return the device's id, its description and the bytes of its memory, 0 if not known."""
    kind, environ = read_device(device)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _DEVICE_PROBE, kind],
            env=os.environ | environ,
            capture_output=True,
            text=True,
            timeout=_DEVICE_SECONDS,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        return None
    found, size, detail = done.stdout.strip().split("|", 2)
    return found, detail, int(size)


def _check_models(settings: Settings, *, can_build: bool) -> list[Finding]:
    """Check that the models can be used. can_build: also build them, because torch works."""
    if settings.models_file is None:
        return [_check_model("Model", choose_model_source(settings), can_build=can_build)]
    try:
        found = load_models(settings)
    except ConfigError as error:
        return [Finding(False, "Models", "cannot be used", str(error))]
    detail = f"{len(found.entries)} in {settings.models_file}"
    if ignored := describe_ignored(settings):
        detail += f", so {ignored}"
    remedy = "\n      → ".join(found.faults)
    return [
        Finding(not found.faults, "Models", detail, remedy),
        *(
            _check_model(
                f"Model {entry.id}", make_model_source(entry, settings), can_build=can_build
            )
            for entry in found.entries
        ),
    ]


def _check_model(label: str, source: ModelSource, *, can_build: bool) -> Finding:
    try:
        lines = check_model(source, thorough=can_build)
    except ConfigError as error:
        return Finding(False, label, "cannot be used", str(error))
    return Finding(True, label, "; ".join(lines))


def _check_memory(settings: Settings, card_bytes: int) -> list[Finding]:
    """Compare what the models need with the card. No findings without a card."""
    found: list[Finding] = []
    with suppress(ConfigError):  # the check of the models says so
        for source in choose_model_sources(settings) if card_bytes else ():
            with suppress(ConfigError):
                need = measure_need(source, card_bytes)
                if need is not None:
                    label = f"Memory {source.id or ''}".strip()
                    found.append(Finding(need.fits, label, need.detail, need.remedy))
    return found


def _check_upscaler(settings: Settings) -> Finding:
    try:
        upscaler = make_upscaler(settings)
    except ConfigError as error:
        return Finding(False, "Upscaler", "cannot be used", str(error))
    if upscaler is None:
        return Finding(True, "Upscaler", "off, so pictures stay as they are drawn")
    return Finding(True, "Upscaler", f"{upscaler.name} enlarges pictures {upscaler.factor} times")


def _check_cluster(settings: Settings) -> Finding:
    address = settings.cluster or ""
    try:
        check_ray()
        check_token(find_token_file(settings))
    except ConfigError as error:
        return Finding(False, "Cluster", "cannot be used", str(error))
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        remedy = "Start `triptych cluster start` there, or correct CLUSTER."
        return Finding(False, "Cluster", f"{address} does not answer ({error})", remedy)
    private = "; keep its ports inside your private network" if not _is_private(host) else ""
    return Finding(
        True, "Cluster", f"{address} answers; the token is asked for at the start{private}"
    )


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(socket.gethostbyname(host)).is_private
    except (OSError, ValueError):
        return False


def _check_rules(settings: Settings) -> Finding:
    try:
        policy = make_policy(settings)
    except ConfigError as error:
        return Finding(False, "Rules", "cannot be used", str(error))
    return Finding(True, "Rules", f"{policy.num_rules} of yours, and two built-in classes")


def _check_pictures(settings: Settings) -> Finding:
    check = make_picture_check(settings)
    try:
        check.probe().result()
    except ConfigError as error:
        remedy = f"{error}. Until then every picture stays hidden."
        return Finding(False, "Picture check", "cannot be used", remedy)
    except ImportError as error:
        remedy = "pip install onnxruntime. Until then every picture stays hidden."
        return Finding(False, "Picture check", f"cannot be loaded ({error})", remedy)
    finally:
        check.close()
    hidden = f"pictures that score {settings.nsfw_threshold:g} or more are hidden"
    return Finding(True, "Picture check", f"OpenNSFW on onnxruntime works; {hidden}")


def _check_disk(settings: Settings) -> Finding:
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        remedy = "Make it writable for this user, or set DATA_DIR to another folder."
        return Finding(False, "Disk", f"{existing} cannot be written", remedy)
    free = shutil.disk_usage(existing).free
    detail = f"{free / 1e9:.1f} GB free for {folder}"
    if free < _MIN_FREE_BYTES:
        remedy = "Make room: pictures take about 2 MB a prompt, a model from the hub 3 to 5 GB."
        return Finding(False, "Disk", detail, remedy)
    return Finding(True, "Disk", detail)


def _check_database(settings: Settings) -> Finding:
    path = settings.data_dir / DATABASE_FILE_NAME
    note = _describe_sqlite()
    if not settings.data_dir.exists():
        return Finding(True, "Database", f"{path} will be made at the first start{note}")
    lock = DataDirLock(settings.data_dir)
    try:
        lock.acquire()
    except DataDirLocked as error:
        if not path.exists():
            remedy = "Stop Triptych, which saves what it has in backups/; `triptych restore`."
            return Finding(False, "Database", f"{path} is gone while it is in use: {error}", remedy)
        return Finding(True, "Database", f"in use, so it was left alone: {error}")
    except StoreError as error:
        return Finding(False, "Database", "cannot be used", str(error))
    try:
        check_not_lost(settings.data_dir)
        return _check_database_file(path, note)
    except StoreError as error:
        return Finding(False, "Database", "cannot be used", str(error))
    finally:
        lock.release()


def _check_database_file(path: Path, note: str) -> Finding:
    newest = len(list(get_migrations_folder().glob("*.sql")))
    damaged = "`triptych restore` puts the newest of backups/ in its place, and keeps this."
    if not path.exists():
        return Finding(True, "Database", f"{path} will be made at the first start{note}")
    try:
        with closing(sqlite3.connect(path)) as connection:
            [[found]] = connection.execute("PRAGMA user_version").fetchall()
            if found > newest:
                remedy = "Install the newer Triptych that wrote it, or restore a file of backups/."
                detail = f"version {found}, program knows {newest}"
                return Finding(False, "Database", detail, remedy)
            if found == 0:
                return Finding(True, "Database", f"{path} will be made at the first start{note}")
            [[health]] = connection.execute("PRAGMA quick_check(1)").fetchall()
            [[jobs]] = connection.execute("SELECT count(*) FROM job").fetchall()
            since = time.time() - _DAY_SECONDS
            row = connection.execute(_COUNT_FOREIGN, (Code.ANSWERED_ELSEWHERE, since))
            [[foreign]] = row.fetchall()
    except sqlite3.Error as error:
        return Finding(False, "Database", f"{path}: {error}", damaged)
    if health != "ok":
        return Finding(False, "Database", f"damaged: {health}", damaged)
    detail = f"{path}, version {found}, {jobs} jobs on record{note}"
    if foreign:
        detail += f"; {foreign} of the last day were answered by another program with this token"
    return Finding(True, "Database", detail, _FOREIGN if foreign else "")


def _describe_sqlite() -> str:
    if sqlite3.sqlite_version_info >= _SAFE_SQLITE:
        return ""
    return (
        f" (SQLite {sqlite3.sqlite_version}: before 3.51.3 a second program that opens the file "
        "while Triptych runs can damage it)"
    )


async def _check_discord(settings: Settings) -> AsyncIterator[Finding]:
    token = settings.discord_token
    if token is None:
        remedy = (
            "Needed only for `run`: create an application on "
            "https://discord.com/developers/applications and put its bot's token into .env."
        )
        yield Finding(True, "Discord token", "not set", remedy)
        return
    from bot.chat.application import examine_application  # noqa: PLC0415 - only needed with a token

    try:
        lines = await examine_application(token.get_secret_value(), settings.discord_api_base)
    except ConfigError as error:
        yield Finding(False, "Discord token", "not accepted", str(error))
        return
    except OSError as error:
        remedy = "Check this machine's network and https://discordstatus.com, then try again."
        yield Finding(False, "Discord", f"cannot be reached ({error})", remedy)
        return
    for told in lines:
        yield Finding(True, told.label, told.detail, told.remedy)
