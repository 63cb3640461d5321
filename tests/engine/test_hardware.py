"""Which device is chosen, on machines that we do not have: torch is told which devices exist."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bot.engine.hardware import CPU, find_hardware, name_engine, read_host_memory
from bot.errors import ConfigError
from bot.settings import Settings


def pretend(monkeypatch: pytest.MonkeyPatch, *types: str, hip: str | None = None) -> None:
    """Let torch find devices of these types and no others."""
    for name in ("cuda", "xpu", "mps"):
        monkeypatch.setattr(getattr(torch, name), "is_available", lambda name=name: name in types)
    monkeypatch.setattr(torch.version, "hip", hip)


@pytest.mark.parametrize(
    ("types", "hip", "found"),
    [
        ((), None, "cpu"),
        (("cuda",), None, "cuda"),
        (("cuda",), "6.4", "rocm"),
        (("xpu",), None, "xpu"),
        (("mps",), None, "mps"),
        (("mps", "xpu"), None, "xpu"),
    ],
)
def test_auto_is_the_first_accelerator_that_is_here(
    monkeypatch: pytest.MonkeyPatch, types: tuple[str, ...], hip: str | None, found: str
) -> None:
    pretend(monkeypatch, *types, hip=hip)
    hardware = find_hardware("auto")
    assert hardware.id == found
    assert hardware.dtype == (torch.float32 if found == "cpu" else torch.float16)
    assert find_hardware(found) is hardware
    assert find_hardware("cpu") is CPU


def test_rocm_answers_to_torchs_own_name_and_captures_no_graphs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, "cuda", hip="6.4")
    hardware = find_hardware("cuda")
    assert (hardware.id, hardware.type, hardware.has_graphs) == ("rocm", "cuda", False)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("cuda", "no NVIDIA GPU: install the NVIDIA driver and a CUDA build of torch"),
        ("rocm", "no AMD GPU: install AMD's driver and a ROCm build"),
        ("xpu", "no Intel GPU: install Intel's driver and an XPU build"),
        ("mps", "no Apple GPU: it needs a Mac"),
    ],
)
def test_device_that_is_not_here_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, wish: str, words: str
) -> None:
    pretend(monkeypatch)
    with pytest.raises(ConfigError, match=words) as caught:
        find_hardware(wish)
    assert "or set the device to auto or cpu" in str(caught.value)


def test_every_value_of_device_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "cuda", "xpu", "mps")
    for wish in Settings.model_fields["device"].annotation.__args__:
        if wish != "rocm":
            assert wish in {"auto", find_hardware(wish).id}


def test_memory_is_told_where_torch_says_how_much_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, "xpu", "mps")
    monkeypatch.setattr(torch.xpu, "mem_get_info", lambda: (3 * 2**30, 8 * 2**30))
    monkeypatch.setattr(torch.xpu, "get_device_name", lambda: "a card")
    assert find_hardware("xpu").describe() == "a card, 8 GiB of memory, 3.0 GiB free"
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 10 * 2**30)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 4 * 2**30)
    assert find_hardware("mps").describe() == "Apple GPU, 10 GiB of memory, 6.0 GiB free"


def test_every_card_has_its_own_engine_id(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "cuda")
    card = SimpleNamespace(name="a card", uuid="1-2")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda: card)
    assert name_engine(find_hardware("cuda")) == "a card 1-2"
    assert name_engine(CPU) == "CPU"


def test_doctors_probe_prints_the_device_or_why_there_is_none() -> None:
    program = (
        "import sys; from bot.engine.hardware import main\n"
        "for wish in list(sys.argv[1:]):\n    sys.argv[1:] = [wish]\n    main()"
    )
    wishes = ("cpu", "mps") if sys.platform != "darwin" else ("cpu",)
    done = subprocess.run(
        [sys.executable, "-c", program, *wishes], capture_output=True, text=True, check=True
    )
    printed = done.stdout.splitlines()
    assert len(printed) == len(wishes)
    assert printed[0].startswith("cpu|0|")
    assert all(line.startswith("|0|The device is set to mps") for line in printed[1:])


@pytest.mark.parametrize(
    ("outer", "inner", "free"),
    [("max", "max", 8192), ("max", "5000", 3500), ("3000", "5000", 1500), ("max", "1000", 0)],
)
def test_container_may_limit_the_hosts_memory(
    outer: str, inner: str, free: int, tmp_path: Path
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 99 kB\nMemAvailable: 8 kB\n")
    (tmp_path / "proc/self/cgroup").write_text("1:cpu:/other\n0::/bots/triptych\n")
    for folder, limit in (("bots", outer), ("bots/triptych", inner)):
        group = tmp_path / "sys/fs/cgroup" / folder
        group.mkdir(parents=True, exist_ok=True)
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text("2000\n")
        (group / "memory.stat").write_text("anon 1500\ninactive_file 300\nactive_file 200\n")
    assert read_host_memory(tmp_path) == free


def test_free_memory_of_a_host_without_these_files_is_not_known(tmp_path: Path) -> None:
    assert read_host_memory(tmp_path) is None
