"""The sources of the pictures: npm packages, pinned by version and SHA-256 of the tarball."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    package: str
    version: str
    sha256: str
    licence: str
    credit: str
    used_for: str

    @property
    def folder(self) -> str:
        return f"{self.package.removeprefix('@').replace('/', '-')}-{self.version}"


FLUENT_3D = Source(
    "@lobehub/fluent-emoji-3d",
    "1.1.0",
    "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
    "MIT",
    "Fluent Emoji, (c) Microsoft Corporation; packaged by LobeHub",
    "sprites of the style '3d' (subjects and props)",
)
FLUENT_FLAT = Source(
    "@iconify-json/fluent-emoji-flat",
    "1.2.6",
    "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
    "MIT",
    "Fluent Emoji, (c) Microsoft Corporation; packaged by Iconify",
    "sprites of the style 'flat'",
)
NOTO = Source(
    "@iconify-json/noto",
    "1.2.9",
    "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
    "Apache-2.0",
    "Noto Emoji, (c) Google LLC; packaged by Iconify",
    "sprites of the style 'noto'; names of the emoji by code point",
)
TWEMOJI = Source(
    "@iconify-json/twemoji",
    "1.2.5",
    "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
    "CC-BY-4.0",
    "Twemoji, (c) Twitter, Inc. and other contributors; packaged by Iconify; "
    "the sprites were resized and composited",
    "sprites of the style 'twemoji'; names of the emoji by code point",
)
SOURCES = (FLUENT_3D, FLUENT_FLAT, NOTO, TWEMOJI)
STYLE_SOURCES = {"3d": FLUENT_3D, "flat": FLUENT_FLAT, "noto": NOTO, "twemoji": TWEMOJI}
NAMING = (NOTO, TWEMOJI)  # the 3D package has only code points; these two have their names
