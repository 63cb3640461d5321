"""The program that the fault figures start as the bot; see ``shim``."""


def main() -> None:
    """Run the bot. It is imported here because worker processes import this module again."""
    from benchmarks.faults import shim  # noqa: PLC0415

    shim.run()


if __name__ == "__main__":
    main()
