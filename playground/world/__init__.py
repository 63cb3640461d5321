"""The simulated world: servers, channels, members, messages, files, time."""
