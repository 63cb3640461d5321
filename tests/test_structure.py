"""Checks the structure of the code: who may import what, where SQL and Discord are used, and how
long files and functions are.
"""

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

LAYERS: tuple[set[str], ...] = (
    {"__main__"},
    {"cogs", "cli"},
    {"chat"},
    {"services"},
    {"rounds"},
    {"views", "review", "retention"},
    {"jobs"},
    {"policy", "recipes"},
    {"cluster"},
    {"ops"},
    {"moderation", "store", "images", "engine"},
    {"domain", "settings"},
    {"errors"},
    {"texts"},
)
"""The rooms of bot/ from the top: a file imports from its own room and from lower layers."""

FACE = {"bot.engine", "bot.engine.api"}
"""The modules of the engine that other rooms may import."""

ONLY_HERE: dict[str, set[str]] = {
    "discord": {"bot.chat", "bot.views", "bot.cogs"},
    "aiohttp": {"bot.chat", "bot.ops.metrics", "playground"},
    "prometheus_client": {"bot.ops.metrics"},
    "torch": {"bot.engine"},
    "diffusers": {"bot.engine"},
    "transformers": {"bot.engine"},
    "accelerate": {"bot.engine"},
    "safetensors": {"bot.engine"},
    "huggingface_hub": {"bot.engine"},
    "aiosqlite": {"bot.store"},
    "anyio": {"bot.ops.workers"},
    "babel": {"bot.texts"},
    "sqlite3": {"bot.store", "bot.cli.doctor"},
    "onnxruntime": {"bot.moderation.opennsfw"},
    "re2": {"bot.moderation"},
    "typer": {"bot.cli", "playground"},
    "rich": {"bot.cli"},
    "ray": {"bot.cluster.driver"},
    "pydantic_settings": {"bot.settings"},
}
NEVER_IN: dict[str, set[str]] = {
    "bot.moderation": {"asyncio"},
    "bot.engine": {"asyncio"},
    "bot.domain": {"asyncio"},
}

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400
MAX_INIT_PARAMETERS = 8


@dataclass(frozen=True)
class Source:
    """One module: its name, such as ``bot.jobs.intake``, its file and its syntax tree."""

    name: str
    path: Path
    tree: ast.Module

    def imports(self) -> Iterator[tuple[str, int]]:
        """Return the full names of imported modules, also for ``from bot.views import jobs``."""
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


def room_of(module: str) -> str:
    """Return "jobs" for bot.jobs.queue.pace; "" for bot itself, which everybody may import."""
    return module.partition(".")[2].partition(".")[0]


def layer_of(module: str) -> int:
    [layer] = [n for n, rooms in enumerate(LAYERS) if room_of(module) in rooms]
    return layer


def is_allowed(module: str, imported: str) -> bool:
    if room_of(imported) in {"", room_of(module)}:
        return room_of(imported) != "cogs"  # cogs do not import each other
    if room_of(imported) == "engine" and imported not in FACE:
        return False
    return bool(room_of(module)) and layer_of(imported) > layer_of(module)


def test_the_check_reads_the_code_at_all():
    assert {"bot.cli.main", "bot.jobs.intake", "bot.engine.api", "playground"} <= module_names()
    [run] = [source for source in sources() if source.name == "bot.cli.run"]
    assert {"bot.services", "bot.chat.client"} <= {name for name, _ in run.imports()}
    [cog] = [source for source in sources() if source.name == "bot.cogs.queue"]
    assert "bot.views.jobs" in {name for name, _ in cog.imports()}


@pytest.mark.parametrize(
    ("module", "imported", "allowed"),
    [
        ("bot.jobs.intake", "bot.review.cards", False),  # an import of a higher layer
        ("bot.chat.client", "bot.cogs.imagine", False),
        ("bot.views.jobs", "bot.review.cards", False),  # an import between rooms of one layer
        ("bot.cogs.grid", "bot.cogs.imagine", False),
        ("bot.jobs.intake", "bot.engine.batch", False),  # an import of the engine's inner modules
        ("bot", "bot.errors", False),
        ("bot.cogs.imagine", "bot.jobs.intake", True),
        ("bot.jobs.intake", "bot.jobs.queue.pace", True),
        ("bot.jobs.intake", "bot.engine.api", True),
        ("bot.engine.batch", "bot.engine.steps.slots", True),
        ("bot.chat.client", "bot", True),
    ],
)
def test_the_check_knows_up_from_down(module: str, imported: str, allowed: bool):
    assert is_allowed(module, imported) is allowed


def test_house_has_these_rooms_and_nothing_else_at_its_root():
    files = {path.name for path in (ROOT / "bot").glob("*.py")}
    assert files == {"__init__.py", "__main__.py", "errors.py", "settings.py", "services.py"}
    rooms = {room_of(source.name) for source in sources() if source.name.startswith("bot.")}
    assert rooms <= set().union(*LAYERS)


def test_tests_mirror_the_house():
    for path in (ROOT / "tests").rglob("test_*.py"):
        folder = path.parent.relative_to(ROOT / "tests")
        is_of_the_whole = folder.parts[:1] in {("e2e",), ("browser",)}
        stands_for = [ROOT / "bot" / folder, ROOT / folder]
        assert is_of_the_whole or any(each.is_dir() for each in stands_for), path


def test_every_file_imports_from_its_own_room_or_from_lower_layers():
    found: set[tuple[str, str]] = set()
    for source in sources():
        package = source.name.split(".")[0]
        for imported, line in source.imports():
            if imported.split(".")[0] in {"bot", "playground"} - {package}:
                pytest.fail(f"{source.path}:{line}: {source.name} imports {imported}")
            is_of_the_bot = package == imported.split(".")[0] == "bot"
            if is_of_the_bot and not is_allowed(source.name, imported):
                found.add((source.name, imported))
    assert not found, "these imports go upwards or across"


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
    """Yield imports at module level, not those in functions or under ``if TYPE_CHECKING``."""
    body = [node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for imported, _ in Source(source.name, source.path, ast.Module(body, [])).imports():
        if imported in module_names() and imported != source.name:
            yield imported


def test_only_the_start_of_the_playground_knows_its_page():
    importers = {
        source.name
        for source in sources()
        for imported, _ in source.imports()
        if lies_in(imported, "playground.web") and not lies_in(source.name, "playground.web")
    }
    assert importers == {"playground.__main__"}


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
    assert calls_of("insert_job") == {"bot.jobs.intake", "bot.jobs.group_intake"}


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
    assert {name for name in found if not lies_in(name, "bot.store")} <= {"bot.cli.doctor"}


BOUNDARIES = {
    ("bot.jobs.dispatcher", "_guard"),
    ("bot.jobs.dispatcher", "_tend_engines"),
    ("bot.engine.boundary", "attempt"),
    ("bot.views.components", "_answer"),
    ("bot.moderation.pictures", "_judge"),
    ("bot.ops.chores", "attempt"),
}


def test_everything_is_caught_only_at_the_borders():
    found = []
    for source in sources():
        if not lies_in(source.name, "playground"):
            found += _broad_handlers(source)
    assert sorted(found) == sorted(BOUNDARIES)


CREATES_TASKS = {
    "bot.chat.connection": "the connection, watched while it stands",
    "bot.cli.imagine": "the parts of one prompt, awaited at its end",
    "bot.cli.run": "the parts of the process: the first to end is looked at; systemd hears beats",
    "bot.cluster.driver": "what a worker sends; its errors are told as the worker's end",
    "bot.cluster.worker": "the look at the drain file, as long as the worker works",
    "bot.jobs.dispatcher": "a job behind its guard, and the look after the engines beside the loop",
    "bot.jobs.intake": "an accepted job on its way into the queue, awaited at the stop",
    "bot.jobs.status_messages": "a message of a job, awaited at the stop",
    "bot.ops.chores": "all chores, in one group; the parts of a server, looked at in each round",
    "bot.ops.workers": "the measure of a worker's memory, as long as it works",
    "bot.policy.prompts": "rules compiled once for all who wait for them",
    "bot.policy.reading": "a turn that is awaited at once, with a deadline",
    "bot.store.database": "a commit that its turns wait for, and calls that may not be cut short",
}
"""The modules that may start a task, and who notices its end. Periodic work must be a Chore."""


def test_tasks_are_started_only_where_somebody_hears_of_their_end():
    makers = ("create_task", "ensure_future", "loop", "run_coroutine_threadsafe")
    found = set()
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Attribute) and node.attr in makers:
                is_of_asyncio = node.attr != "loop" or ast.unparse(node) == "tasks.loop"
                found |= {source.name} if is_of_asyncio else set()
    assert {name for name in found if not lies_in(name, "playground")} == set(CREATES_TASKS)


def _broad_handlers(source: Source) -> Iterator[tuple[str, str]]:
    """List each ``except Exception`` or wider that does not raise, by module and function."""
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


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_nothing_is_made_of_more_than_eight_parts(source: Source):
    """Parameters that belong together must be one value, such as ``Repositories``."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            count = sum(isinstance(each, ast.arg) for each in ast.walk(node.args)) - 1
            assert count <= MAX_INIT_PARAMETERS, f"{source.path}:{node.lineno}"
        elif isinstance(node, ast.Call):
            for each in node.args:
                is_literal = isinstance(each, ast.Starred) and isinstance(
                    each.value, ast.Tuple | ast.List
                )
                assert not is_literal, f"{source.path}:{each.lineno}: write the arguments out"


def cogs() -> list[Source]:
    return [source for source in sources() if source.name.startswith("bot.cogs.")]


@pytest.mark.parametrize("source", cogs(), ids=lambda source: source.name)
def test_every_cog_can_be_loaded_and_is(source: Source):
    functions = [node for node in source.tree.body if isinstance(node, ast.AsyncFunctionDef)]
    [setup] = [function for function in functions if function.name == "setup"]
    assert [argument.arg for argument in setup.args.args] == ["bot"]
    [client] = [source for source in sources() if source.name == "bot.chat.client"]
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
                for command in cog.__cog_app_commands__:  # for a group, the commands in it
                    assert isinstance(command, app_commands.Command)
                    found += 1
                    described = [command.description, *(p.description for p in command.parameters)]
                    for text in described:
                        assert 5 < len(str(text)) <= 100, (command.name, text)
                        assert str(text) != "…"
    assert found >= 4


def test_no_button_class_is_anything_but_dynamic():
    """If a view with a normal item times out, discord.py also removes all dynamic items."""
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
        "import sys; import bot.cli.doctor, bot.chat.client, bot.cli.main, bot.cogs.imagine, "
        "bot.cogs.queue, bot.cogs.cancel, bot.cogs.help; "
        "print(sorted({'torch', 'diffusers', 'transformers', 'bot.migrations'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
