"""Keeps a running Triptych healthy: logs, metrics, backups, systemd."""
