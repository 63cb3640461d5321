"""A stand-in for Discord on this machine. An unmodified discord.py client can use it."""

from playground.faults import (
    Fault,
    answer,
    closed,
    delay,
    matching,
    rate_limited,
    reset,
    slow_reader,
)
from playground.people import InteractionHandle, Person
from playground.server import Playground
from playground.wire.options import ClientRefusedError
from playground.world.clock import Clock
from playground.world.files import Upload
from playground.world.log import GatewayRecord, RequestRecord
from playground.world.permissions import Permission
from playground.world.scenery import (
    add_channel,
    add_guild,
    add_role,
    add_thread,
    add_user,
    default_world,
)
from playground.world.world import (
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
