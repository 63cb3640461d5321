"""python -m tests.fakes.run_bot: the real bot process with the fake engine, see ``parts``."""


def main() -> None:
    """Light until here, because worker processes import the main module again."""
    from bot.cli import main as cli
    from tests.fakes import parts

    parts.install()
    cli.main()


if __name__ == "__main__":
    main()
