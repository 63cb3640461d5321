"""Fills in a modal as Discord's client does."""

from collections.abc import Mapping, Sequence
from typing import Any

from playground.wire.components import FILE_UPLOAD, LABEL, ROW, TEXT_INPUT, modal_fields
from playground.wire.options import ClientRefusedError, Resolved
from playground.world.world import Json

RADIO_GROUP, CHECKBOX = 21, 23
MAX_TEXT_INPUT = 4_000


def fill_modal(
    modal: Json, values: Mapping[str, Any], resolved: Resolved, *, checked: bool
) -> list[Json]:
    """Return the `components` of the submitted form. Fields without a value do not change."""
    known = {field["custom_id"] for field in modal_fields(modal)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ClientRefusedError(f"no such field: {', '.join(unknown)}; there are {known}")
    filler = _Filler(values, resolved, checked)
    return [filler.part(component) for component in modal["components"]]


class _Filler:
    def __init__(self, values: Mapping[str, Any], resolved: Resolved, checked: bool) -> None:
        self._values = values
        self._resolved = resolved
        self._checked = checked

    def part(self, component: Json) -> Json:
        part: Json = {"type": component["type"], "id": component.get("id") or 0}
        if component["type"] == LABEL:
            return part | {"component": self._field(component["component"])}
        if component["type"] == ROW:
            return part | {"components": [self._field(c) for c in component["components"]]}
        return part

    def _field(self, field: Json) -> Json:
        kind = field["type"]
        filled: Json = {"type": kind, "id": field.get("id") or 0, "custom_id": field["custom_id"]}
        value = self._values.get(field["custom_id"], self._preset(field))
        if self._checked:
            _check(field, value)
        if kind in (TEXT_INPUT, RADIO_GROUP, CHECKBOX):
            return filled | {"value": value}
        picked = [item if isinstance(item, str) else self._resolved.add(item) for item in value]
        return filled | {"values": picked}

    def _preset(self, field: Json) -> Any:
        """Return the initial value of a field."""
        chosen = [o["value"] for o in field.get("options") or [] if o.get("default")]
        match field["type"]:
            case 4:
                return field.get("value") or ""
            case 21:
                return chosen[0] if chosen else None
            case 23:
                return bool(field.get("default"))
            case _:
                return chosen


def _check(field: Json, value: Any) -> None:
    kind, name = field["type"], field["custom_id"]
    if kind == CHECKBOX:
        return
    required = field.get("required") is not False
    if not value:
        if required:
            raise ClientRefusedError(f"field {name} is required")
        return
    if kind == TEXT_INPUT:
        most = field.get("max_length") or MAX_TEXT_INPUT
        _check_count(name, value, field.get("min_length") or 0, most)
    elif kind != RADIO_GROUP:
        least = field.get("min_values")
        _check_count(name, value, 1 if least is None else least, field.get("max_values") or 1)
    if field.get("options") and kind != FILE_UPLOAD:
        offered = {option["value"] for option in field["options"]}
        stray = set([value] if isinstance(value, str) else value) - offered
        if stray:
            raise ClientRefusedError(f"field {name}: {stray} is not among {offered}")


def _check_count(name: str, value: Sequence[Any], least: int, most: int) -> None:
    if not least <= len(value) <= most:
        raise ClientRefusedError(f"field {name}: {len(value)} is not between {least} and {most}")
