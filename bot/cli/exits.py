"""Prints what went wrong and ends the command with the right exit code."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

import typer

from bot.errors import EngineLost, TriptychError, UserError

EXIT_REFUSED = 1
EXIT_CONFIG = 2
EXIT_ENGINE_LOST = 75  # EX_TEMPFAIL: asks systemd, for example, to start a new process


def leave(error: TriptychError) -> NoReturn:
    sys.stderr.write(f"{error}\n")
    if isinstance(error, EngineLost):
        logging.shutdown()
        os._exit(EXIT_ENGINE_LOST)  # a normal exit can hang if the device has failed
    raise typer.Exit(EXIT_REFUSED if isinstance(error, UserError) else EXIT_CONFIG) from None
