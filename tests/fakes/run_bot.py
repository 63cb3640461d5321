"""python -m tests.fakes.run_bot runs the real bot process with the fake engine; see ``parts``.

FAKE_LOCALES: the folder of the catalogues. Worker processes import this module again and use it
too.
"""

import os
from pathlib import Path

from bot.texts import catalog

if "FAKE_LOCALES" in os.environ:
    catalog.LOCALES = Path(os.environ["FAKE_LOCALES"])


def main() -> None:
    """Run the bot. Imports are in here, because worker processes import this module again."""
    from bot.cli import main as cli
    from tests.fakes import parts

    parts.install()
    cli.main()


if __name__ == "__main__":
    main()
