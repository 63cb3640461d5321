"""What Discord does behind its HTTP API: holds the world, applies its rules and sends events."""

from playground.gateway import Gateway, Intent
from playground.interactions import Interactions
from playground.messages import Messages
from playground.wire.message_payloads import MessagePayloads
from playground.wire.payloads import member_payload
from playground.world.clock import Clock
from playground.world.files import Cdn
from playground.world.log import Log
from playground.world.world import Channel, Interaction, Json, Message, World

HIDDEN_CONTENT: Json = {"content": "", "embeds": [], "attachments": [], "components": []}


class Backend:
    def __init__(self, world: World, clock: Clock, log: Log, token: str) -> None:
        self.world = world
        self.clock = clock
        self.log = log
        self.cdn = Cdn(clock)
        self.gateway = Gateway(world, clock, log, token)
        self.payloads = MessagePayloads(world, self.cdn)
        self.messages = Messages(world, clock, self.payloads, self._announce)
        self.interactions = Interactions(world, clock, self.messages, self.deliver)

    def deliver(self, interaction: Interaction) -> None:
        """Send INTERACTION_CREATE. Calling it again delivers the same interaction again."""
        guild_id = interaction.guild_id
        self.gateway.dispatch("INTERACTION_CREATE", interaction.payload, guild_id=guild_id)

    def _announce(self, event: str, channel: Channel, message: Message) -> None:
        """Send a message event to every session that has the intent and may see the message."""
        intent = Intent.DIRECT_MESSAGES if channel.guild_id is None else Intent.GUILD_MESSAGES
        is_heard = self._is_bot_in(channel) and self.gateway.has_listeners(intent)
        if message.is_ephemeral or not is_heard:
            self.log.ring()
            return
        place = {"guild_id": str(channel.guild_id)} if channel.guild_id else {}
        if event == "MESSAGE_DELETE":
            data: Json = {"id": str(message.id), "channel_id": str(channel.id)} | place
        else:
            data = self.payloads.message(message) | place | self._author_member(channel, message)
        hidden = HIDDEN_CONTENT if self._is_hidden(channel, message, event) else None
        guild_id = channel.guild_id
        self.gateway.dispatch(event, data, guild_id=guild_id, intents=intent, hidden=hidden)

    def _is_hidden(self, channel: Channel, message: Message, event: str) -> bool:
        """Return whether the bot needs the message content intent to see this message's content."""
        bot_id = self.world.bot.id
        concerns_bot = message.author_id == bot_id or bot_id in message.current.mentioned_user_ids
        return channel.guild_id is not None and not concerns_bot and event != "MESSAGE_DELETE"

    def _author_member(self, channel: Channel, message: Message) -> Json:
        if channel.guild_id is None:
            return {}
        member = self.world.guilds[channel.guild_id].members.get(message.author_id)
        return {"member": member_payload(member, with_user=False)} if member else {}

    def _is_bot_in(self, channel: Channel) -> bool:
        bot_id = self.world.bot.id
        if channel.guild_id is None:
            return bot_id in channel.recipient_ids
        return bot_id in self.world.guilds[channel.guild_id].members
