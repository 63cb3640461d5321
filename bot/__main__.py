"""python -m bot, and the entry point of `triptych`.

Worker processes run the main module once more under another name, so nothing may happen in it and
it must be light.
"""


def main() -> None:
    """The command line."""
    from bot.cli import main as cli  # noqa: PLC0415 - a worker process needs none of it

    cli.main()


if __name__ == "__main__":
    main()
