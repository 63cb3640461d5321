"""Discord's JSON for messages and their files."""

from playground.wire.payloads import integration_owners, user_payload
from playground.world.files import Cdn
from playground.world.world import (
    Attachment,
    Interaction,
    InteractionType,
    Json,
    Message,
    Revision,
    World,
)

# For each type of component: fields that Discord adds if they are missing. 0: items of a gallery.
DEFAULTS: dict[int, Json] = {
    0: {"description": None, "spoiler": False},
    11: {"description": None, "spoiler": False},
    13: {"name": None, "size": None, "spoiler": False},
    14: {"spacing": 1, "divider": True},
    17: {"accent_color": None, "spoiler": False},
    **{kind: {"min_values": 1, "max_values": 1} for kind in (3, 5, 6, 7, 8)},
}


class MessagePayloads:
    """Makes the JSON of messages and attachments, with the addresses of their files."""

    def __init__(self, world: World, cdn: Cdn) -> None:
        self._world = world
        self._cdn = cdn

    def attachment(self, attachment: Attachment) -> Json:
        url = self._cdn.url(attachment)
        payload: Json = {
            "id": str(attachment.id),
            "filename": attachment.filename,
            "size": len(attachment.content),
            "url": url,
            "proxy_url": url,
            "content_type": attachment.content_type,
        }
        if attachment.width and attachment.height:
            payload |= {"width": attachment.width, "height": attachment.height}
        if attachment.description is not None:
            payload["description"] = attachment.description
        return payload | ({"ephemeral": True} if attachment.is_ephemeral else {})

    def message(self, message: Message) -> Json:
        world, shown = self._world, message.current
        mentioned = [world.users[i] for i in shown.mentioned_user_ids if i in world.users]
        payload: Json = {
            "id": str(message.id),
            "channel_id": str(message.channel_id),
            "type": message.type,
            "author": user_payload(world.users[message.author_id]),
            "content": shown.content,
            "embeds": [self._embed(embed, shown) for embed in shown.embeds],
            "components": [self._component(c, shown) for c in shown.components],
            "attachments": [self.attachment(a) for a in shown.attachments],
            "flags": shown.flags,
            "mentions": [user_payload(user) for user in mentioned],
            "mention_roles": [str(role_id) for role_id in shown.mentioned_role_ids],
            "mention_everyone": shown.mentions_everyone,
            "timestamp": message.created_at,
            "edited_timestamp": message.edited_at,
            "pinned": False,
            "tts": False,
        }
        if message.nonce is not None:
            payload["nonce"] = message.nonce
        if message.reference_id is not None:
            payload["message_reference"] = self._reference(message, message.reference_id)
        if message.interaction is not None:
            payload |= self._interaction_part(message.interaction)
        return payload

    def _reference(self, message: Message, reference_id: int) -> Json:
        guild_id = self._world.get_channel(message.channel_id).guild_id
        reference = {
            "type": 0,
            "message_id": str(reference_id),
            "channel_id": str(message.channel_id),
        }
        return reference | ({"guild_id": str(guild_id)} if guild_id else {})

    def _interaction_part(self, interaction: Interaction) -> Json:
        application_id = str(self._world.application_id)
        part: Json = {
            "application_id": application_id,
            "webhook_id": application_id,
            "interaction_metadata": self._metadata(interaction),
        }
        if interaction.type == InteractionType.COMMAND:
            part["interaction"] = {
                "id": str(interaction.id),
                "type": int(interaction.type),
                "name": interaction.data["name"],
                "user": user_payload(self._world.users[interaction.user_id]),
            }
        return part

    def _metadata(self, interaction: Interaction) -> Json:
        metadata: Json = {
            "id": str(interaction.id),
            "type": int(interaction.type),
            "user": user_payload(self._world.users[interaction.user_id]),
            "authorizing_integration_owners": integration_owners(interaction),
        }
        if interaction.original is not None:
            metadata["original_response_message_id"] = str(interaction.original.id)
        if interaction.source is not None:
            metadata["interacted_message_id"] = str(interaction.source.id)
        if interaction.parent is not None:
            metadata["triggering_interaction_metadata"] = self._metadata(interaction.parent)
        return metadata

    def _embed(self, embed: Json, shown: Revision) -> Json:
        """Return an embed as Discord sends it, with its type and the addresses of its pictures."""
        resolved = {"type": "rich"} | embed
        for key in ("image", "thumbnail"):
            if embed.get(key):
                resolved[key] = embed[key] | self._media(embed[key]["url"], shown)
        return resolved

    def _component(self, component: Json, shown: Revision) -> Json:
        given = {key: value for key, value in component.items() if value is not None}
        resolved: Json = DEFAULTS.get(component.get("type", 0), {}) | given
        for key in ("media", "file"):
            if component.get(key):
                resolved[key] = self._media(component[key]["url"], shown)
        for key in ("components", "items"):
            if component.get(key):
                resolved[key] = [self._component(child, shown) for child in component[key]]
        if component.get("accessory"):
            resolved["accessory"] = self._component(component["accessory"], shown)
        return resolved

    def _media(self, url: str, shown: Revision) -> Json:
        """Return the JSON of a picture. `attachment://name` becomes the file's address."""
        name = url.removeprefix("attachment://")
        for attachment in shown.attachments:
            address = self._cdn.url(attachment)
            is_own_address = url.partition("?")[0] == address.partition("?")[0]
            if attachment.filename == name or is_own_address:
                return {
                    "id": str(attachment.id),
                    "attachment_id": str(attachment.id),
                    "url": address,
                    "proxy_url": address,
                    "content_type": attachment.content_type,
                    "width": attachment.width,
                    "height": attachment.height,
                }
        return {"id": "0", "url": url, "proxy_url": url, "width": None, "height": None}
