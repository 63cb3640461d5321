"""Fixtures for tests of models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.hf_api
import pytest
from huggingface_hub import constants

from tests.engine.fake_hub import FakeHub


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A stand-in for the Hub, which serves the test's ``folder``."""
    hub = FakeHub(folder)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)
    # the client tries again
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    yield hub
    hub.close()
