"""What a person can do on the page, and the faults that its side panel can cause."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.faults import answer, delay, rate_limited
from playground.interactions import FIRST_RESPONSE_SECONDS, TOKEN_LIFE_SECONDS
from playground.people import MESSAGE_MENU, SLASH, InteractionHandle, Person
from playground.web.crowd import join_in
from playground.wire.components import FILE_UPLOAD, SELECTS, TEXT_INPUT, modal_fields
from playground.wire.options import (
    ATTACHMENT,
    CHANNEL,
    MENTIONABLE,
    ROLE,
    USER,
    ClientRefusedError,
    OptionValue,
    find_subcommand,
)
from playground.world.files import Upload
from playground.world.log import RequestRecord
from playground.world.world import Channel, Interaction, Json, Message, Role, User, World

if TYPE_CHECKING:
    from playground.server import Playground

STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT = 3, 5, 6, 7, 8
LOCALES = {"en-US", "en-GB", "de", "fr", "es-ES", "it", "nl", "pl", "pt-BR", "sv-SE"}
LOCALES |= {"cs", "tr", "uk", "ru", "ja", "ko", "zh-CN", "hi", "el", "fi"}


@dataclass(slots=True, frozen=True)
class Form:
    """What the page sent: the person, the fields, and the files with their numbers."""

    person: Person
    data: Json
    files: Mapping[int, Upload]

    def text(self, name: str) -> str:
        value = self.data.get(name)
        if not isinstance(value, str):
            raise ValueError(f"{name} must be text")
        return value

    def id(self, name: str) -> int:
        return int(self.text(name))

    def upload(self, number: Any) -> Upload:
        """Return a file. Raises ClientRefusedError if Discord's client would find it too large."""
        upload = self.files[int(number)]
        limit = self.person.user.attachment_size_limit
        if len(upload.content) > limit:
            size = f"{limit / 1024 / 1024:.0f} MiB"
            raise ClientRefusedError(f"{upload.filename} is larger than {size}")
        return upload


Action = Callable[["Playground", Form], Awaitable[Json]]


async def slash(server: "Playground", form: Form) -> Json:
    channel = _channel(server, form)
    name = form.text("command")
    handle = await form.person.slash(name, channel, **_options(server, form, channel))
    return _told(handle)


async def autocomplete(server: "Playground", form: Form) -> Json:
    channel, name = _channel(server, form), form.text("command")
    others = _options(server, form, channel)
    option, typed = form.text("option"), form.text("typed")
    try:
        choices = await form.person.autocomplete(
            name, channel, option, typed, FIRST_RESPONSE_SECONDS, **others
        )
    except TimeoutError:
        return {"choices": [], "error": "The app did not offer anything within 3 s."}
    return {"choices": choices}


async def menu(server: "Playground", form: Form) -> Json:
    channel = _channel(server, form)
    target: Message | User
    if form.data.get("kind") == MESSAGE_MENU:
        target = _message(server, form, "target")
    else:
        target = server.world.users[form.id("target")]
    return _told(await form.person.context_menu(form.text("command"), target, channel))


async def press(server: "Playground", form: Form) -> Json:
    message = _message(server, form)
    return _told(await form.person.press(message, form.text("custom_id")))


async def join(server: "Playground", form: Form) -> Json:
    """Let the others in the channel use the message, too."""
    message, channel = _message(server, form), _channel(server, form)
    others = await join_in(server, channel, message, form.person)
    return {"names": [each.user.global_name or each.name for each in others]}


async def select(server: "Playground", form: Form) -> Json:
    message, custom_id = _message(server, form), form.text("custom_id")
    kinds = {menu.custom_id: menu.type for menu in message.selects()}
    values = _picked(server.world, kinds.get(custom_id, STRING_SELECT), form.data["values"])
    return _told(await form.person.select(message, custom_id, values))


async def modal(server: "Playground", form: Form) -> Json:
    interaction = _interaction(server, form)
    if interaction.user_id != form.person.id:
        raise ClientRefusedError("this form was opened for somebody else")
    kinds = {field["custom_id"]: field["type"] for field in modal_fields(interaction.modal or {})}
    values: dict[str, Any] = {}
    for name, value in dict(form.data["values"]).items():
        kind = kinds.get(name, TEXT_INPUT)
        if kind == FILE_UPLOAD:
            values[name] = [form.upload(number) for number in value]
        elif kind in SELECTS:
            values[name] = _picked(server.world, kind, value)
        else:
            values[name] = value
    handle = InteractionHandle(server.backend, interaction)
    return _told(await form.person.submit_modal(handle, values))


async def send(server: "Playground", form: Form) -> Json:
    uploads = [form.upload(number) for number in sorted(form.files)]
    await form.person.send(_channel(server, form), form.text("content"), uploads)
    return {}


async def delete(server: "Playground", form: Form) -> Json:
    await form.person.delete(_message(server, form))
    return {}


async def locale(server: "Playground", form: Form) -> Json:
    chosen = form.text("locale")
    if chosen not in LOCALES:
        raise ValueError(f"the language {chosen}")
    form.person.user.locale = chosen
    server.log.ring()
    return {}


async def trouble(server: "Playground", form: Form) -> Json:
    """Cause the fault of the side panel's button that was pressed."""
    match form.text("what"):
        case "drop":
            await server.drop_gateway()
        case "expire":
            _expire_newest_token(server)
        case "advance":
            server.clock.advance(TOKEN_LIFE_SECONDS + 1)
        case "limit":
            server.fault(_is_api_request, rate_limited(1.0))
        case "delay":
            server.fault(_is_api_request, delay(FIRST_RESPONSE_SECONDS + 1))
        case "error":
            server.fault(_is_api_request, answer(500))
        case "clear":
            server.faults.clear()
        case what:
            raise ValueError(what)
    server.log.ring()
    return {}


ACTIONS: Mapping[str, Action] = {
    action.__name__: action
    for action in (
        *(slash, autocomplete, menu, press, join, select, modal),
        *(send, delete, locale, trouble),
    )
}


def _expire_newest_token(server: "Playground") -> None:
    """Expire the token of the newest interaction, as if 15 minutes had passed."""
    newest = next(reversed(server.world.interactions.values()), None)
    if newest is None:
        raise ClientRefusedError("nobody has used the bot yet, so there is no token")
    newest.created_at -= TOKEN_LIFE_SECONDS + 1


def _is_api_request(record: RequestRecord) -> bool:
    return record.route != "/gateway"


def _told(handle: InteractionHandle) -> Json:
    return {"interaction": str(handle.id)}


def _channel(server: "Playground", form: Form) -> Channel:
    return server.world.get_channel(form.id("channel"))


def _message(server: "Playground", form: Form, name: str = "message") -> Message:
    return _channel(server, form).messages[form.id(name)]


def _interaction(server: "Playground", form: Form) -> Interaction:
    return server.world.interactions[form.id("interaction")]


def _options(server: "Playground", form: Form, channel: Channel) -> dict[str, OptionValue]:
    """Convert the page's fields to option values. Other code refuses values that make no sense."""
    name, *words = form.text("command").split() or [""]
    offered = server.world.visible_commands(channel.guild_id)
    found = [command for command in offered if (command.type, command.name) == (SLASH, name)]
    if not found:
        raise ClientRefusedError(f"no command {name!r} is offered here")
    definition = find_subcommand(found[0], words)
    kinds = {option["name"]: option["type"] for option in definition.get("options") or []}
    given = dict(form.data.get("options") or {})
    return {
        name: _option(server.world, form, kinds.get(name), value) for name, value in given.items()
    }


def _option(world: World, form: Form, kind: int | None, value: Any) -> OptionValue:
    if kind == ATTACHMENT:
        return form.upload(value)
    if kind in (USER, CHANNEL, ROLE, MENTIONABLE):
        return _thing(world, kind, int(value))
    return value


def _picked(
    world: World, kind: int, values: Sequence[str]
) -> Sequence[str | User | Role | Channel]:
    if kind == STRING_SELECT:
        return values
    option_kinds = {USER_SELECT: USER, ROLE_SELECT: ROLE, CHANNEL_SELECT: CHANNEL}
    return [_thing(world, option_kinds.get(kind, MENTIONABLE), int(value)) for value in values]


def _thing(world: World, kind: int, thing_id: int) -> User | Role | Channel:
    if kind == CHANNEL:
        return world.get_channel(thing_id)
    roles = {role.id: role for guild in world.guilds.values() for role in guild.roles.values()}
    if kind == ROLE or (kind == MENTIONABLE and thing_id in roles):
        return roles[thing_id]
    return world.users[thing_id]
