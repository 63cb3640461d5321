"""`python -m playground`: serve until interrupted."""

import asyncio
from typing import Annotated

import typer

from .server import Playground


def main(
    port: Annotated[int, typer.Option(help="0 takes any free port.")] = 8321,
    token: Annotated[str, typer.Option(help="The bot token to accept.")] = "playground-token",
) -> None:
    """A stand-in for Discord on this machine."""
    try:
        asyncio.run(_serve(port, token))
    except KeyboardInterrupt:
        typer.echo("stopped")


async def _serve(port: int, token: str) -> None:
    async with Playground(token, port=port) as server:
        typer.echo(f"API base  {server.api_base}")
        typer.echo(f"gateway   {server.gateway_url}")
        typer.echo(f"The bot token is the one you chose: {token}")
        if server.contract.reason:
            typer.echo(f"Request bodies are not checked: {server.contract.reason}")
        await asyncio.Event().wait()


if __name__ == "__main__":
    typer.run(main)
