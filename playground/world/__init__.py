"""What there is: servers, channels, members, messages, files, time."""
