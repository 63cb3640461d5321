"""triptych restore and run --new: replace a lost database with a backup or an empty one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import StoreError
from bot.ops.resources import get_migrations_folder
from bot.store import KEPT_ASIDE_DAYS, DataDirLock, begin_anew, list_backups, restore


def restore_backup(data_dir: Path, chosen: Path | None, *, only_list: bool) -> None:
    """Restore ``chosen``, or the newest backup, or only list all backups. Raises StoreError."""
    backups = list_backups(data_dir)
    if only_list:
        sys.stdout.write("".join(f"{backup}\n" for backup in backups))
        return
    if chosen is None and not backups:
        raise StoreError(
            f"There is no backup in {data_dir / 'backups'}. Nothing was changed. Name a "
            "backup's file, or start an empty database with `triptych run --new`."
        )
    with _own(data_dir):
        done = restore(data_dir, chosen or backups[0], get_migrations_folder(), time.time())
    sys.stdout.write(f"Restored {done.backup}.\n")
    if done.set_aside is not None:
        sys.stdout.write(
            f"What was there before is in {done.set_aside}; prompts since the backup are only "
            f"there. The bot deletes it after {KEPT_ASIDE_DAYS} days.\n"
        )
    if done.pictures_aside is not None:
        sys.stdout.write(
            f"Pictures of those prompts are in {done.pictures_aside}. The bot deletes them after "
            f"{KEPT_ASIDE_DAYS} days.\n"
        )


async def begin_new_record(data_dir: Path, migrations: Path) -> None:
    """Begin with an empty database if the old one is lost or damaged. Raises StoreError."""
    with _own(data_dir):
        rest = await begin_anew(data_dir, migrations, time.time())
    if rest:
        sys.stdout.write(
            f"Started an empty database. What there was before ({rest}) is in {data_dir} under "
            "names that begin with replaced-; `triptych restore --list` names its backups. "
            f"The bot deletes all that after {KEPT_ASIDE_DAYS} days; move away what you want to "
            "keep.\n"
        )


@contextmanager
def _own(data_dir: Path) -> Iterator[None]:
    os.umask(0o077)  # other users of the machine must not read the new files
    lock = DataDirLock(data_dir)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
