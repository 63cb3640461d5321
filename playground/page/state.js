// Everything the page knows: one plain object, filled by the stream of changes.

export const state = {
  as: "member",
  place: { guilds: [], channels: [], commands: [], me: "", bot: "", locale: "en-US" },
  status: { is_connected: false, contract: null, faults: [], clock_advanced_seconds: 0 },
  channel: null, // the id of the open channel
  messages: new Map(), // id → {data, has_died}
  interactions: new Map(), // id → the interaction as last sent by the server
  mine: new Map(), // id of an interaction that this page started → what to show until its answer comes
  chosen: new Map(), // "message custom_id" → what the person picked in a select, until the next edit
  dismissed: new Set(), // ephemeral messages that the person dismissed
  unread: new Set(), // channels
};

export function channelById(id) {
  return state.place.channels.find((channel) => channel.id === id);
}

export function guildOf(channel) {
  return state.place.guilds.find((guild) => guild.id === channel?.guild_id);
}

/** The people of a channel: all members of its guild, or the two people in a private channel. */
export function usersIn(channel) {
  const guild = guildOf(channel);
  if (guild) return guild.members.map((member) => member.user);
  const everyone = state.place.guilds.flatMap((each) => each.members.map((member) => member.user));
  const there = new Set([state.place.me, state.place.bot]);
  return everyone.filter(
    (user, index) => there.has(user.id) && everyone.findIndex((u) => u.id === user.id) === index,
  );
}

export function userById(id) {
  for (const guild of state.place.guilds) {
    const found = guild.members.find((member) => member.user.id === id);
    if (found) return found.user;
  }
  return null;
}

export function roleById(id) {
  return state.place.guilds.flatMap((guild) => guild.roles).find((role) => role.id === id);
}

/** The commands of one kind (1 slash, 2 user, 3 message) that are offered in a channel. */
export function commandsIn(channel, kind) {
  const offered = new Set(channel?.offered ?? []);
  return state.place.commands.filter((command) => command.type === kind && offered.has(command.id));
}

/** The name or the description of a command or an option, in the person's language. */
export function localized(thing, field = "name") {
  const texts = thing[`${field}_localizations`];
  return texts?.[state.place.locale] ?? thing[field];
}

const PERMISSIONS = { sendMessages: 11n, manageMessages: 13n, attachFiles: 15n };

export function may(channel, permission) {
  return Boolean(channel && (BigInt(channel.permissions) >> PERMISSIONS[permission]) & 1n);
}
