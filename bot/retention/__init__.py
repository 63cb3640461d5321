"""Keeps members' data and pictures for a time, and deletes them."""
