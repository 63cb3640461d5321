"""Builds the starter model from packaged, licence-clean pictures. See training/README.md."""
