"""The lens accepts some texts and reports others."""

from __future__ import annotations

from typing import Any

import pytest

from playground import Playground
from tests.e2e.lens import Lens
from tests.texts.catalogues import disguise

MESSAGES = "/channels/{channel_id}/messages"


def find_faults(lens: Lens, body: Any, route: str = MESSAGES) -> list[str]:
    """Return what the lens reports. Discord's description is not checked: these bodies are too
    short.
    """
    lens.check("POST", route, body)
    found = [each.problem for each in lens.violations]
    lens.violations.clear()
    return [problem for problem in found if problem.startswith(("not translated", "does not fit"))]


def show(*components: Any) -> dict[str, Any]:
    return {"flags": 1 << 15, "components": [*components]}


def button(label: str) -> dict[str, Any]:
    button = {"type": 2, "style": 2, "custom_id": "x", "label": label}
    return {"type": 1, "components": [button]}


def ask(**label: Any) -> dict[str, Any]:
    field = {"type": 4, "style": 1, "custom_id": "f"}
    component = {"type": 18, "component": field} | label
    data = {"title": disguise("Form"), "custom_id": "f", "components": [component]}
    return {"type": 9, "data": data}


GALLERY = {
    "type": 12,
    "items": [{"media": {"url": "attachment://a.png"}, "description": "A picture"}],
}
CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"


def test_disguise_is_taken_off(lens: Lens):
    greeting = disguise("Hello {name}: {count:,}").format(name="<@1>", count=3)
    body: Any = {"content": f"**{greeting}** <t:1:R>"} | show(button(disguise("Go")))
    assert find_faults(lens, body) == []
    assert body["content"] == "**Hello <@1>: 3** <t:1:R>"
    assert body["components"][0]["components"][0]["label"] == "Go"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"content": "Hello."}, "hello"),
        ({"content": disguise("Hello {name}.").format(name="stranger")}, "stranger"),
        (show(button("Cancel")), "cancel"),
        (show(GALLERY), "picture"),
        (ask(label="Score"), "score"),
        (ask(label=disguise("Days"), description="From now on"), "from"),
        ({"type": 8, "data": {"choices": [{"name": "Red", "value": "r"}]}}, "red"),
    ],
)
def test_untranslated_word_is_named(lens: Lens, body: Any, word: str):
    [fault] = find_faults(lens, body, CALLBACK)
    assert fault.startswith("not translated: ") and repr(word) in fault


@pytest.mark.parametrize(
    "body",
    [
        {"content": disguise("x" * 1500)},
        show({"type": 10, "content": disguise("x" * 3000)}),
        show(button(disguise("x" * 60))),
        ask(label=disguise("x" * 40)),
        {"type": 8, "data": {"choices": [{"name": disguise("x" * 80), "value": "r"}]}},
    ],
)
def test_text_that_does_not_fit_when_longer_is_named(lens: Lens, body: Any):
    assert any("does not fit" in fault for fault in find_faults(lens, body, CALLBACK))


async def test_what_people_wrote_is_theirs(server: Playground, lens: Lens):
    member, art = server.person("member"), server.channel("art")
    await member.send(art, "nothing of the bot's")
    assert find_faults(lens, {"content": disguise("{who}").format(who="Mia")}) == []
    assert find_faults(lens, {"content": "painter"}) != []
    lens.learn(["BLOCKED painter"])
    assert find_faults(lens, {"content": "a **pain** painter"}) == []


def test_command_without_a_name_in_the_language_is_named(lens: Lens):
    command = {"name": "draw", "description": "Draw", "name_localizations": {"en-GB": "draw-ö"}}
    route = "/applications/{application_id}/commands"
    assert find_faults(lens, [command], route) == ["not translated: the description of draw"]
