"""A stand-in for Discord on a loopback address that an unmodified discord.py client talks to."""

from .clock import Clock
from .faults import (
    Fault,
    answer,
    closed,
    delay,
    matching,
    rate_limited,
    reset,
    slow_reader,
)
from .files import Upload
from .log import GatewayRecord, RequestRecord
from .options import ClientRefusedError
from .people import InteractionHandle, Person
from .permissions import Permission
from .scenery import add_channel, add_guild, add_role, add_thread, add_user, default_world
from .server import Playground
from .world import (
    Attachment,
    Button,
    Channel,
    Guild,
    Member,
    Message,
    Overwrite,
    Revision,
    Role,
    Select,
    User,
    World,
)

__all__ = [
    "Attachment",
    "Button",
    "Channel",
    "ClientRefusedError",
    "Clock",
    "Fault",
    "GatewayRecord",
    "Guild",
    "InteractionHandle",
    "Member",
    "Message",
    "Overwrite",
    "Permission",
    "Person",
    "Playground",
    "RequestRecord",
    "Revision",
    "Role",
    "Select",
    "Upload",
    "User",
    "World",
    "add_channel",
    "add_guild",
    "add_role",
    "add_thread",
    "add_user",
    "answer",
    "closed",
    "default_world",
    "delay",
    "matching",
    "rate_limited",
    "reset",
    "slow_reader",
]
