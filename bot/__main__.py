"""python -m bot, and the entry point of `triptych`.

Worker processes import this module again under another name. So the import must be quick and must
not start anything.
"""


def main() -> None:
    """Run the command line."""
    from bot.cli import main as cli  # noqa: PLC0415 - a worker process needs none of it

    cli.main()


if __name__ == "__main__":
    main()
