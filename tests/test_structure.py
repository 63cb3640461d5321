"""DESIGN section 1, read off the code: who may import what, where SQL and Discord live, how long
things are."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FACE = {"bot.engine", "bot.engine.face"}
"""What others may know of the engine."""

PORT = {"bot.jobs.port", "bot.records", "bot.cases", "bot.errors"}
COMPOSITION = {"bot.services", "bot.settings", "bot.resources"}

MAY_IMPORT: dict[str, set[str]] = {
    "bot": set(),
    "bot.__main__": {"bot.cli"},
    "bot.errors": set(),
    "bot.records": {"bot.errors"},
    "bot.cases": {"bot.records"},
    "bot.settings": {"bot.errors"},
    "bot.resources": {"bot.settings", "bot.engine.face"},
    "bot.uploads": {"bot.errors", "bot.workers"},
    "bot.workers": {"bot.errors"},
    "bot.pictures": {"bot.errors", "bot.records", "bot.uploads", "bot.workers"},
    "bot.store": {"bot.store", "bot.records", "bot.cases", "bot.errors"},
    "bot.moderation": {"bot.moderation", "bot.records", "bot.errors"},
    "bot.engine": {"bot.engine", "bot.errors"},
    "bot.jobs": {
        "bot.jobs",
        "bot.workers",
        "bot.moderation",
        "bot.store",
        "bot.pictures",
        "bot.records",
        "bot.cases",
        "bot.errors",
        *FACE,
    },
    "bot.services": {
        "bot.jobs",
        "bot.workers",
        "bot.moderation",
        "bot.store",
        "bot.pictures",
        "bot.settings",
        "bot.engine.face",
    },
    "bot.replies_status": {"bot.replies", "bot.engine.face"},
    "bot.logs": set(),
    "bot.breaker": set(),
    "bot.supervisor": set(),
    "bot.monitor": set(),
    "bot.upkeep": {"bot.store", "bot.errors"},
    "bot.terminal": PORT,
    "bot.buttons": {"bot.errors"},
    "bot.quoting": set(),
    "bot.replies": {
        "bot.quoting",
        "bot.buttons",
        "bot.engine.face",
        "bot.jobs",
        "bot.records",
        "bot.moderation",
    },
    "bot.cards": {"bot.buttons", "bot.replies", "bot.jobs", "bot.records"},
    "bot.asking": {
        "bot.cards",
        "bot.buttons",
        "bot.replies",
        "bot.client",
        "bot.messenger",
        "bot.moderation",
        "bot.records",
        "bot.errors",
    },
    "bot.replies_moderation": {
        "bot.replies",
        "bot.buttons",
        "bot.jobs",
        "bot.moderation",
        "bot.records",
    },
    "bot.replies_settings": {
        "bot.replies_moderation",
        "bot.buttons",
        "bot.store.settings",
        "bot.records",
    },
    "bot.automod": {"bot.moderation", "bot.records", "bot.errors"},
    "bot.replies_review": {"bot.buttons", "bot.cases", "bot.records", "bot.replies"},
    "bot.moderators": {"bot.replies_review", "bot.records", "bot.errors"},
    # the client only for its type
    "bot.messenger": {
        "bot.replies",
        "bot.replies_moderation",
        "bot.replies_review",
        "bot.client",
        "bot.pictures",
        "bot.uploads",
        *PORT,
    },  # the client only for its type
    "bot.offers": set(),
    "bot.client": {
        "bot",
        "bot.offers",
        "bot.breaker",
        "bot.buttons",
        "bot.replies",
        "bot.messenger",
        "bot.monitor",
        "bot.services",
        "bot.supervisor",
        *PORT,
    },
    "bot.cogs": {
        "bot.quoting",
        "bot",
        "bot.client",
        "bot.services",
        "bot.messenger",
        "bot.replies",
        "bot.replies_moderation",
        "bot.replies_settings",
        "bot.automod",
        "bot.replies_review",
        "bot.moderators",
        "bot.offers",
        "bot.cases",
        "bot.buttons",
        "bot.asking",
        "bot.cards",
        "bot.pictures",
        "bot.uploads",
        "bot.jobs",
        "bot.moderation",
        "bot.store",
        "bot.records",
        "bot.errors",
        "bot.logs",
        "bot.replies_status",
        "bot.upkeep",
        "bot.engine.face",
    },
    "bot.doctor": {"bot.client", "bot.engine", "bot.store", "bot.errors", *COMPOSITION},
    "bot.cli_rules": {"bot.moderation", "bot.errors"},
    "bot.cli_restore": {"bot.store", "bot.errors"},
    "bot.cli": {
        "bot.cli_restore",
        "bot.cli_rules",
        "bot.logs",
        "bot.monitor",
        "bot.supervisor",
        "bot.upkeep",
        "bot.jobs.parameters",  # the names of the presets
        "bot.client",
        "bot.doctor",
        "bot.terminal",
        "bot.engine",
        "bot.store",
        "bot.jobs.port",
        "bot.records",
        "bot.errors",
        *COMPOSITION,
    },
    "playground": {"playground"},
}
"""A room may import these modules and what lies inside them."""

ONLY_HERE: dict[str, set[str]] = {
    "discord": {
        "bot.client",
        "bot.messenger",
        "bot.cogs",
        "bot.quoting",
        "bot.replies",
        "bot.replies_moderation",
        "bot.replies_settings",
        "bot.automod",
        "bot.replies_review",
        "bot.buttons",
        "bot.moderators",
        "bot.offers",
        "bot.cards",
        "bot.asking",
    },
    "aiohttp": {"bot.breaker", "bot.client", "bot.messenger", "bot.monitor", "playground"},
    "prometheus_client": {"bot.monitor"},
    "torch": {"bot.engine"},
    "diffusers": {"bot.engine"},
    "transformers": {"bot.engine"},
    "accelerate": {"bot.engine"},
    "safetensors": {"bot.engine"},
    "huggingface_hub": {"bot.engine"},
    "aiosqlite": {"bot.store"},
    "sqlite3": {"bot.store", "bot.doctor"},
    "onnxruntime": {"bot.moderation.opennsfw"},
    "re2": {"bot.moderation"},
    "typer": {"bot.cli", "bot.cli_rules", "playground"},
    "rich": {"bot.cli", "bot.terminal"},
    "anyio": {"bot.workers"},
    "pydantic_settings": {"bot.settings"},
}
NEVER_IN: dict[str, set[str]] = {
    "bot.store": {"discord", "torch"},
    "bot.moderation": {"discord", "torch", "aiosqlite", "sqlite3", "asyncio"},
    "bot.engine": {"discord", "aiosqlite", "sqlite3", "asyncio"},
    "bot.jobs": {"discord", "aiosqlite", "sqlite3"},
    "playground": {"discord", "bot"},
}

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400


@dataclass(frozen=True)
class Source:
    """One module: ``bot.jobs.queue``, its file and its tree."""

    name: str
    path: Path
    tree: ast.Module

    def imports(self) -> Iterator[tuple[str, int]]:
        """Every imported module by its full name, ``from bot import replies`` as bot.replies."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = self._resolve(node)
                for alias in node.names:
                    inner = f"{module}.{alias.name}"
                    yield (inner if inner in module_names() else module), node.lineno

    def _resolve(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return str(node.module)
        parts = self.name.split(".")
        package = parts if self.path.stem == "__init__" else parts[:-1]
        base = package[: len(package) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])


@cache
def sources() -> tuple[Source, ...]:
    found = []
    for package in ("bot", "playground"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            name = name.removesuffix(".__init__")
            found.append(Source(name, path, ast.parse(path.read_text("utf-8"))))
    return tuple(found)


@cache
def module_names() -> frozenset[str]:
    return frozenset(source.name for source in sources())


def lies_in(module: str, room: str) -> bool:
    return module == room or (module.startswith(f"{room}.") and room != "bot")


def is_allowed(module: str, imported: str, room: str) -> bool:
    """Of the engine, only its face is open to other rooms."""
    if room in FACE and not lies_in(module, "bot.engine"):
        return imported == room
    return lies_in(imported, room)


def room_of(module: str) -> str:
    rooms = [room for room in MAY_IMPORT if lies_in(module, room)]
    assert rooms, f"{module} has no place in DESIGN's picture of the house"
    return max(rooms, key=len)


def test_the_check_reads_the_code_at_all():
    assert {"bot.cli", "bot.jobs.intake", "bot.engine.face", "playground"} <= module_names()
    [cli] = [source for source in sources() if source.name == "bot.cli"]
    assert "bot.services" in {name for name, _ in cli.imports()}
    [cog] = [source for source in sources() if source.name == "bot.cogs.cancel"]
    assert "bot.replies" in {name for name, _ in cog.imports()}


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_every_module_imports_only_what_its_room_may(source: Source):
    allowed = MAY_IMPORT[room_of(source.name)]
    for imported, line in source.imports():
        if imported.split(".")[0] in {"bot", "playground"}:
            assert any(is_allowed(source.name, imported, room) for room in allowed), (
                f"{source.path}:{line}: {source.name} imports {imported}"
            )


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_libraries_are_used_only_where_they_belong(source: Source):
    forbidden = next((NEVER_IN[room] for room in NEVER_IN if lies_in(source.name, room)), set())
    for imported, line in source.imports():
        library = imported.split(".")[0]
        rooms = ONLY_HERE.get(library)
        assert rooms is None or any(lies_in(source.name, room) for room in rooms), (
            f"{source.path}:{line}: {source.name} imports {imported}"
        )
        assert library not in forbidden, f"{source.path}:{line}"


def test_nothing_imports_a_cog():
    for source in sources():
        for imported, line in source.imports():
            assert not lies_in(imported, "bot.cogs"), f"{source.path}:{line} imports {imported}"


def test_there_are_no_import_cycles_outside_type_checking():
    graph = {source.name: set(_imports_at_run_time(source)) for source in sources()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join((*path, name))
        if name not in done:
            for imported in graph.get(name, ()):
                visit(imported, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def _imports_at_run_time(source: Source) -> Iterator[str]:
    """Imports at module level: neither inside functions nor under ``if TYPE_CHECKING``."""
    body = [node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for imported, _ in Source(source.name, source.path, ast.Module(body, [])).imports():
        if imported in module_names() and imported != source.name:
            yield imported


def calls_of(name: str) -> set[str]:
    return {
        source.name
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
    }


def test_only_intake_inserts_jobs():
    assert calls_of("insert_job") == {"bot.jobs.intake"}


def test_only_recovery_and_dispatcher_put_jobs_back_in_line():
    assert calls_of("mark_requeued") == {"bot.jobs.dispatcher", "bot.jobs.recovery"}


def test_sql_is_written_only_in_the_store():
    words = ("SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "PRAGMA ")
    found = {
        source.name
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.lstrip().startswith(words)
    }
    assert {name for name in found if not lies_in(name, "bot.store")} <= {"bot.doctor"}


BORDERS = {
    ("bot.jobs.dispatcher", "_guard"),
    ("bot.engine.border", "attempt"),
    ("bot.buttons", "_answer"),
    ("bot.moderation.pictures", "_judge"),
}


def test_everything_is_caught_only_at_the_borders():
    found = []
    for source in sources():
        if not lies_in(source.name, "playground"):
            found += _broad_handlers(source)
    assert sorted(found) == sorted(BORDERS)


def _broad_handlers(source: Source) -> Iterator[tuple[str, str]]:
    """``except Exception`` or wider that does not raise again, by module and function."""
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in _own_nodes(function):
            if not isinstance(node, ast.ExceptHandler):
                continue
            names = (
                {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)}
                if node.type
                else set()
            )
            is_broad = node.type is None or names & {"Exception", "BaseException"}
            if is_broad and not isinstance(node.body[-1], ast.Raise):
                yield source.name, function.name


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own_nodes(child)


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_files_and_functions_are_short_enough_to_read(source: Source):
    if not lies_in(source.name, "playground"):
        assert len(source.path.read_text("utf-8").splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{source.path}:{node.lineno} {node.name}"


def cogs() -> list[Source]:
    return [source for source in sources() if source.name.startswith("bot.cogs.")]


@pytest.mark.parametrize("source", cogs(), ids=lambda source: source.name)
def test_every_cog_can_be_loaded_and_is(source: Source):
    functions = [node for node in source.tree.body if isinstance(node, ast.AsyncFunctionDef)]
    [setup] = [function for function in functions if function.name == "setup"]
    assert [argument.arg for argument in setup.args.args] == ["bot"]
    [client] = [source for source in sources() if source.name == "bot.client"]
    loaded = {n.value for n in ast.walk(client.tree) if isinstance(n, ast.Constant)}
    assert source.name in loaded


def test_every_command_describes_itself_and_its_options():
    from discord import app_commands
    from discord.ext import commands

    found = 0
    for source in cogs():
        module = __import__(source.name, fromlist=["_"])
        for cog in vars(module).values():
            if isinstance(cog, type) and issubclass(cog, commands.Cog) and cog is not commands.Cog:
                for command in cog.__cog_app_commands__:  # of a group: those within it
                    assert isinstance(command, app_commands.Command)
                    found += 1
                    described = [command.description, *(p.description for p in command.parameters)]
                    for text in described:
                        assert 5 < len(str(text)) <= 100, (command.name, text)
                        assert str(text) != "…"
    assert found >= 4


def test_no_button_class_is_anything_but_dynamic():
    """An ordinary item in a view takes all dynamic ones with it when the view times out."""
    for source in sources():
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.ClassDef):
                continue
            bases = {ast.unparse(base).split("[")[0] for base in node.bases}
            ordinary = {
                f"{prefix}ui.{kind}"
                for prefix in ("discord.", "")
                for kind in ("Button", "Select", "View")
            }
            assert not bases & ordinary, f"{source.path}:{node.lineno}"


def test_face_of_the_bot_and_doctor_load_without_torch():
    code = (
        "import sys; import bot.doctor, bot.client, bot.cli, bot.cogs.imagine, bot.cogs.queue, "
        "bot.cogs.cancel, bot.cogs.help; "
        "print(sorted({'torch', 'diffusers', 'transformers', 'bot.migrations'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
