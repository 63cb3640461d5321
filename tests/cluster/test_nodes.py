"""The token of a cluster, and what Ray is told."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from pathlib import Path

import pytest

from bot.cli.cluster import _count_cards
from bot.cluster.nodes import check_token, make_environ, make_token
from bot.errors import ConfigError


def test_token_is_made_once_and_only_its_user_can_read_it(tmp_path: Path):
    path = tmp_path / "data" / "cluster-token"
    before = os.umask(0)
    try:
        make_token(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = path.read_text()
    make_token(path)
    assert path.read_text() == token
    check_token(path)
    assert list(path.parent.iterdir()) == [path]


def test_crash_while_the_token_is_written_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def crash(num_bytes: int) -> str:
        raise KeyboardInterrupt

    path = tmp_path / "cluster-token"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(secrets, "token_hex", crash)
        make_token(path)
    assert not path.exists()
    make_token(path)
    check_token(path)


@pytest.mark.parametrize("content", [None, b"", b"short", b"\xff" * 40])
def test_file_that_holds_no_token_is_named(tmp_path: Path, content: bytes | None):
    path = tmp_path / "cluster-token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="cluster start"):
        check_token(path)


def test_ray_always_asks_for_the_token(tmp_path: Path):
    environ = make_environ(tmp_path / "cluster-token")
    assert environ["RAY_AUTH_MODE"] == "token"
    assert environ["RAY_AUTH_TOKEN_PATH"] == str(tmp_path / "cluster-token")


def test_worker_on_a_cpu_does_not_wait_for_torch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert _count_cards("cpu") == 1
    with pytest.raises(FileNotFoundError):
        _count_cards("auto")
