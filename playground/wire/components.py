"""Discord's rules for message components and modals."""

from collections.abc import Iterable

from playground.wire.errors import FormErrors, Path
from playground.world.world import Json, walk_components

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SECTION, TEXT_DISPLAY, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER = 9, 10, 11, 12, 13, 14, 17
LABEL, FILE_UPLOAD = 18, 19
SELECTS = {3, 5, 6, 7, 8}
MODAL_FIELDS = SELECTS | {TEXT_INPUT, FILE_UPLOAD, 21, 22, 23}
TOP_LEVEL_V2 = {ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR, CONTAINER}
IN_CONTAINER = TOP_LEVEL_V2 - {CONTAINER}
MAX_COMPONENTS = 40
MAX_TEXT = 4000
LINK_STYLE, PREMIUM_STYLE = 5, 6


def check_components(
    components: list[Json], filenames: Iterable[str], errors: FormErrors, *, is_v2: bool
) -> None:
    """Add to `errors` everything that Discord would refuse in a message's components."""
    _Checker(set(filenames), errors).message(components, is_v2=is_v2)


def number_components(components: list[Json], taken: set[int] | None = None) -> list[Json]:
    """Copy the components. As on Discord, components without an `id` get one."""
    if taken is None:
        taken = {c["id"] for c in walk_components(components) if c.get("id")}
    numbered = []
    for component in components:
        copy = dict(component)
        if not copy.get("id"):
            copy["id"] = next(i for i in range(1, 1000) if i not in taken)
            taken.add(copy["id"])
        if copy.get("components"):
            copy["components"] = number_components(copy["components"], taken)
        for key in ("accessory", "component"):
            if copy.get(key):
                copy[key] = number_components([copy[key]], taken)[0]
        numbered.append(copy)
    return numbered


def check_modal(data: Json, errors: FormErrors) -> None:
    """Add to `errors` everything that Discord would refuse in a modal."""
    errors.check_length(("title",), data.get("title"), 45, least=1)
    errors.check_length(("custom_id",), data.get("custom_id"), 100, least=1)
    components = data.get("components") or []
    errors.check_length(("components",), components, 5, least=1)
    checker = _Checker(set(), errors)
    for index, component in enumerate(components):
        checker.modal_part(component, ("components", index))
    checker.duplicates(components)


def modal_fields(modal: Json) -> list[Json]:
    """Return those components of a modal that a person can fill in."""
    found = walk_components(modal.get("components") or [])
    return [c for c in found if c["type"] in MODAL_FIELDS]


class _Checker:
    def __init__(self, filenames: set[str], errors: FormErrors) -> None:
        self._filenames = filenames
        self._errors = errors

    def message(self, components: list[Json], *, is_v2: bool) -> None:
        allowed = TOP_LEVEL_V2 if is_v2 else {ROW}
        if not is_v2:
            self._errors.check_length(("components",), components, 5)
        for index, component in enumerate(components):
            self._part(component, ("components", index), allowed)
        everything = [c for c in walk_components(components) if isinstance(c.get("type"), int)]
        if len(everything) > MAX_COMPONENTS:
            message = f"Must be {MAX_COMPONENTS} or fewer in length."
            self._errors.add(("components",), "BASE_TYPE_MAX_LENGTH", message)
        text = sum(len(c.get("content") or "") for c in everything if c["type"] == TEXT_DISPLAY)
        if text > MAX_TEXT:
            message = f"Displayable text must be {MAX_TEXT} or fewer characters."
            code = "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"
            self._errors.add(("components",), code, message)
        self.duplicates(components)

    def duplicates(self, components: list[Json]) -> None:
        ids = [c["custom_id"] for c in walk_components(components) if c.get("custom_id")]
        if len(ids) != len(set(ids)):
            message = "Component custom id cannot be duplicated"
            self._errors.add(("components",), "COMPONENT_CUSTOM_ID_DUPLICATED", message)

    def modal_part(self, component: Json, path: Path) -> None:
        match component.get("type"):
            case 18:
                self._errors.check_length((*path, "label"), component.get("label"), 45, least=1)
                description = component.get("description")
                self._errors.check_length((*path, "description"), description, 100)
                self._part(component.get("component") or {}, (*path, "component"), MODAL_FIELDS)
            case 1:
                self._row_children(component, path, {TEXT_INPUT})
            case _:
                self._part(component, path, {TEXT_DISPLAY})

    def _part(self, component: Json, path: Path, allowed: set[int]) -> None:
        kind = component.get("type")
        if kind not in allowed:
            message = f"Value of field 'type' must be one of {tuple(sorted(allowed))}."
            self._errors.add((*path, "type"), "UNION_TYPE_CHOICES", message)
            return
        if kind == ROW:
            self._row_children(component, path, {BUTTON} | SELECTS)
            self._row_size(component, path)
        elif kind == CONTAINER:
            self._children(component, path, IN_CONTAINER)
        elif kind == SECTION:
            self._section(component, path)
        elif kind == TEXT_DISPLAY:
            content = component.get("content")
            self._errors.check_length((*path, "content"), content, MAX_TEXT, least=1)
        elif kind == GALLERY:
            self._gallery(component, path)
        else:
            self._leaf(component, path)

    def _leaf(self, component: Json, path: Path) -> None:
        kind = component["type"]
        if kind == BUTTON:
            self._button(component, path)
        elif kind in SELECTS:
            self._select(component, path)
        elif kind == FILE:
            self._media(component.get("file"), (*path, "file"))
        elif kind == THUMBNAIL:
            self._media(component.get("media"), (*path, "media"))
            self._errors.check_length((*path, "description"), component.get("description"), 1024)
        elif kind in MODAL_FIELDS:
            self._custom_id(component, path)
            self._errors.check_length((*path, "placeholder"), component.get("placeholder"), 100)

    def _children(self, component: Json, path: Path, allowed: set[int]) -> None:
        for index, child in enumerate(component.get("components") or []):
            self._part(child, (*path, "components", index), allowed)

    def _row_children(self, row: Json, path: Path, allowed: set[int]) -> None:
        children = row.get("components") or []
        self._errors.check_length((*path, "components"), children, 5, least=1)
        self._children(row, path, allowed)

    def _row_size(self, row: Json, path: Path) -> None:
        children = row.get("components") or []
        if len(children) > 1 and any(child.get("type") in SELECTS for child in children):
            message = "The specified component exceeds the maximum width"
            self._errors.add((*path, "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message)

    def _section(self, section: Json, path: Path) -> None:
        children = section.get("components") or []
        self._errors.check_length((*path, "components"), children, 3, least=1)
        self._children(section, path, {TEXT_DISPLAY})
        self._part(section.get("accessory") or {}, (*path, "accessory"), {BUTTON, THUMBNAIL})

    def _gallery(self, gallery: Json, path: Path) -> None:
        items = gallery.get("items") or []
        self._errors.check_length((*path, "items"), items, 10, least=1)
        for index, item in enumerate(items):
            where = (*path, "items", index)
            self._media(item.get("media"), (*where, "media"))
            self._errors.check_length((*where, "description"), item.get("description"), 1024)

    def _media(self, media: Json | None, path: Path) -> None:
        url = (media or {}).get("url") or ""
        self._errors.check_length((*path, "url"), url, 2048, least=1)
        name = url.removeprefix("attachment://")
        if name != url and name not in self._filenames:
            message = "The referenced attachment was not found."
            code = "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"
            self._errors.add((*path, "url"), code, message)

    def _custom_id(self, component: Json, path: Path) -> None:
        self._errors.check_length((*path, "custom_id"), component.get("custom_id"), 100, least=1)

    def _button(self, button: Json, path: Path) -> None:
        style = button.get("style")
        if style == LINK_STYLE:
            self._errors.check_length((*path, "url"), button.get("url"), 512, least=1)
        elif style != PREMIUM_STYLE:
            self._custom_id(button, path)
        self._errors.check_length((*path, "label"), button.get("label"), 80)
        if style != PREMIUM_STYLE and not button.get("label") and not button.get("emoji"):
            message = "A button must have a label or emoji."
            self._errors.add(path, "BUTTON_COMPONENT_MISSING_LABEL_OR_EMOJI", message)

    def _select(self, select: Json, path: Path) -> None:
        self._custom_id(select, path)
        self._errors.check_length((*path, "placeholder"), select.get("placeholder"), 150)
        if select["type"] != STRING_SELECT:
            return
        options = select.get("options") or []
        self._errors.check_length((*path, "options"), options, 25, least=1)
        for index, option in enumerate(options):
            where = (*path, "options", index)
            self._errors.check_length((*where, "label"), option.get("label"), 100, least=1)
            self._errors.check_length((*where, "value"), option.get("value"), 100, least=1)
            self._errors.check_length((*where, "description"), option.get("description"), 100)
