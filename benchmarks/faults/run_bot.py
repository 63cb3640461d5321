"""The bot process of the fault figures, see ``shim``."""


def main() -> None:
    """Light until here, because worker processes import the main module again."""
    from benchmarks.faults import shim  # noqa: PLC0415

    shim.run()


if __name__ == "__main__":
    main()
