"""python -m bot restore: put a backup in the place of the database."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bot.errors import StoreError
from bot.store import DataDirLock, list_backups, restore


def restore_backup(data_dir: Path, chosen: Path | None, *, only_list: bool) -> None:
    """Restore ``chosen`` or the newest backup, or print them all. Raises StoreError."""
    backups = list_backups(data_dir)
    if only_list:
        sys.stdout.write("".join(f"{backup}\n" for backup in backups))
        return
    if chosen is None and not backups:
        raise StoreError(f"There is no backup in {data_dir / 'backups'}. Nothing was changed.")
    lock = DataDirLock(data_dir)
    lock.acquire()
    try:
        done = restore(data_dir, chosen or backups[0], time.time())
    finally:
        lock.release()
    sys.stdout.write(f"Restored {done.backup}.\n")
    if done.set_aside is not None:
        sys.stdout.write(
            f"What was there before lies in {done.set_aside}; prompts since the backup are only "
            "there. Delete it when you no longer need it.\n"
        )
    if done.pictures_aside is not None:
        sys.stdout.write(f"Pictures of those prompts lie in {done.pictures_aside}.\n")
