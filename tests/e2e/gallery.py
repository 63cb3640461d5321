"""Helpers for the tests about grids."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

from PIL import Image

from playground import Channel, InteractionHandle, Message, Person, Playground, Upload


def has_grid(message: Message) -> bool:
    return any(a.filename.endswith(".png") for a in message.attachments)


async def draw(person: Person, channel: Channel, **options: object) -> Message:
    """Draw a grid and wait until it is delivered."""
    handle = await person.slash("imagine", channel, **{"prompt": "dog", "seed": "7"} | options)
    return await handle.wait_for(has_grid, 20)


def button(message: Message, label: str) -> str:
    """Return the custom_id of the button with this label."""
    [custom_id] = [b.custom_id for b in message.buttons() if b.label == label]
    assert custom_id is not None
    return custom_id


async def press(person: Person, message: Message, label: str) -> InteractionHandle:
    return await person.press(message, button(message, label))


def open_picture(message: Message) -> Image.Image:
    [attachment] = message.attachments
    return Image.open(BytesIO(attachment.content))


def make_noise(side_pixels: int = 400) -> Upload:
    """Make a picture whose PNG is large."""
    buffer = BytesIO()
    Image.effect_noise((side_pixels, side_pixels), 40).convert("RGB").save(buffer, "PNG")
    return Upload("mine.png", buffer.getvalue())


def limit_files(server: Playground, person: Person, channel: Channel, num_bytes: int) -> None:
    """Set the size limit of Discord for files, from now on."""
    person.user.attachment_size_limit = num_bytes
    server.world.guilds[channel.guild_id or 0].attachment_size_limit = num_bytes


async def refusal(handle: InteractionHandle) -> str:
    """Return the sentence that only the person who pressed sees."""
    message = await handle.wait_answered()
    assert message.is_ephemeral, message.text()
    assert len(message.text()) > 30, message.text()
    return message.text()


def upload_of(message: Message) -> Upload:
    """Return the picture of a message as a file to upload, as if saved and sent again."""
    [attachment] = message.attachments
    return Upload("saved.png", attachment.content)


async def forge(person: Person, message: Message, custom_id: str) -> InteractionHandle:
    """Add a button with this id to the message, and press it."""
    button = {"type": 2, "style": 2, "label": "forged", "custom_id": custom_id, "id": 901}
    row = {"type": 1, "id": 900, "components": [button]}
    shown = message.current
    message.revisions.append(replace(shown, components=(*shown.components, row)))
    try:
        return await person.unchecked.press(message, custom_id)
    finally:
        message.revisions.append(shown)
