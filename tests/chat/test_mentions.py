"""Mentions, which Discord writes as ids, become names for the model and for the rules."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.chat.mentions import spell_out


class Known:
    """A server or a client that knows a few objects by their ids."""

    def __init__(self, **names: dict[int, str]) -> None:
        self._names = names

    def __getattr__(self, method: str) -> Any:
        names = self._names.get(method, {})
        return lambda id_: (
            (name := names.get(id_)) and SimpleNamespace(name=name, display_name=name)
        )


RESOLVED = {
    "users": {
        "1": {"username": "nico_1", "global_name": "Nico"},
        "2": {"username": "moss", "global_name": None},
        "3": {"username": "ivy", "global_name": "Ivy"},
        "9": {"username": "sly", "global_name": "a <@1> <t:0> b"},
    },
    "members": {"3": {"nick": "Ivy the Great"}, "1": {"nick": None}},
    "roles": {"4": {"name": "Painters"}},
    "channels": {"5": {"name": "art"}},
}


def make_interaction(resolved: Any = RESOLVED, guild: Any = None) -> Any:
    return cast(
        Any,
        SimpleNamespace(
            data={"resolved": resolved} if resolved else {},
            guild=guild,
            client=Known(get_user={8: "Cached"}),
            user=SimpleNamespace(id=7, display_name="Myself"),
        ),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<@1> and a dog", "Nico and a dog"),
        ("<@!2>'s dog", "moss's dog"),
        ("<@3>", "Ivy the Great"),
        ("<@1><@2>", "Nico moss"),
        ("<@7>, <@8>", "Myself, Cached"),
        ("of <@&4> in <#5>", "of Painters in art"),
        ("<:party_cat:123456> <a:wave:99>", "party_cat wave"),
        ("on <t:1700000000:R>, <t:0>", "on 14 November 2023, 1 January 1970"),
        ("</imagine:12345>", "imagine"),
        ("a<id:customize>b<id:guide>", "ab"),
        ("<@404> <@&404> <#404>.", "  ."),
        ("<t:99999999999999999>", ""),
        ("<@9>", "a   b"),
        ("1 < 2 > <3 <@x> @Nico <b>", "1 < 2 > <3 <@x> @Nico <b>"),
        (f"<@{'9' * 21}>", f"<@{'9' * 21}>"),
    ],
)
def test_numbers_become_names_or_nothing(text: str, said: str):
    assert spell_out(text, make_interaction()) == said


def test_what_is_not_sent_along_is_looked_up_in_the_server():
    guild = Known(
        get_member={1: "Cached Nick"}, get_role={4: "Kings"}, get_channel_or_thread={5: "x"}
    )
    interaction = make_interaction(None, guild)
    assert spell_out("<@1> <@&4> <#5> <#6>", interaction) == "Cached Nick Kings x "
