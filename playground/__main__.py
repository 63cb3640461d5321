"""`python -m playground [-- COMMAND…]`: serve until Ctrl-C, and run a bot if COMMAND is given."""

import asyncio
import signal
from typing import Annotated

import typer

from playground.child import Child
from playground.server import Playground
from playground.web.server import mount_page


def main(
    command: Annotated[
        list[str] | None,
        typer.Argument(help="A bot to run. It gets DISCORD_API_BASE and DISCORD_TOKEN."),
    ] = None,
    port: Annotated[int, typer.Option(help="0 takes any free port.")] = 8321,
    token: Annotated[str, typer.Option(help="The bot token to accept.")] = "playground-token",
    name: Annotated[str, typer.Option(help="What the bot is called here.")] = "Playground Bot",
) -> None:
    """Run a stand-in for Discord on this machine, with a page for the browser.

    Ctrl-C ends the playground, and also the bot if COMMAND started one.
    """
    server = Playground(token, port=port, mounts=[mount_page])
    server.world.bot.global_name = name
    raise typer.Exit(asyncio.run(_serve(server, command or [])))


async def _serve(server: Playground, command: list[str]) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        await server.start()
    except OSError as error:
        typer.echo(f"Port {server.port} cannot be used: {error.strerror}. Try another.", err=True)
        return 2
    try:
        typer.echo(f"Open      {server.url}/")
        if not command:
            _explain(server)
            await stopped.wait()
            return 0
        return await _accompany(server, command, stopped)
    finally:
        await server.stop()


async def _accompany(server: Playground, command: list[str], stopped: asyncio.Event) -> int:
    """Run the bot until it ends or somebody stops the playground. Return the exit code."""
    try:
        bot = await Child.start(command, server.api_base, server.token)
    except OSError as error:
        typer.echo(f"{command[0]} cannot be run: {error.strerror}.", err=True)
        return 2
    ended, stopping = asyncio.create_task(bot.wait()), asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.is_set():
            return 0
        typer.echo(f"The bot ended with code {ended.result()}.", err=True)
        return ended.result()
    finally:
        await bot.stop()
        stopping.cancel()


def _explain(server: Playground) -> None:
    typer.echo(f"API base  {server.api_base}")
    typer.echo(f"gateway   {server.gateway_url}")
    typer.echo(f"The bot token is the one you chose: {server.token}")
    if server.contract.reason:
        typer.echo(f"Request bodies are not checked: {server.contract.reason}")


if __name__ == "__main__":
    typer.run(main)
