"""Decides which models a member may use, and finds the one that they name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from bot.domain.models import ModelEntry
from bot.engine.api import ModelInfo, ModelStatus
from bot.errors import UserError
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

_SHOWN = 20  # the most models that a sentence names


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A model that somebody may use.

    id: what recipes call it. label: its name for people. info: None until it has been loaded once.
    note: why it cannot draw now; "" if it can. is_out: it failed, so prompts for it are refused; a
    model that is only being loaded has a note too. licence: what MODELS_FILE or the model's card
    says; "" if it is not known. depicts_person: it was trained on pictures of a real person.
    """

    id: str
    label: str
    info: ModelInfo | None = None
    note: str = ""
    is_out: bool = False
    licence: str = ""
    depicts_person: bool = False

    @property
    def edits(self) -> bool:
        """Return whether the model is known to edit pictures by instruction."""
        return self.info is not None and self.info.edits

    @property
    def only_edits(self) -> bool:
        """Return whether the model is known to draw nothing from a prompt alone."""
        return self.info is not None and self.info.only_edits

    @property
    def can_edit_now(self) -> bool:
        """Return whether the model edits pictures and has not failed."""
        return self.edits and not self.is_out


class ModelCatalog:
    """Knows all models of the installation, and who may use which.

    Models without an entry in MODELS_FILE are for everybody: the model of the setting MODEL, and
    the models that other machines have chosen themselves.
    """

    def __init__(
        self, entries: Sequence[ModelEntry], list_models: Callable[[], Sequence[ModelStatus]]
    ) -> None:
        """entries: from MODELS_FILE. list_models: what the engines have now, the default first."""
        self._entries = {entry.id: entry for entry in entries}
        self._list_models = list_models

    def list_all(self) -> tuple[OfferedModel, ...]:
        """List every model, in the order of MODELS_FILE; the first is the installation's default.

        Models without an entry follow.
        """
        statuses = {status.id: status for status in self._list_models()}
        return tuple(
            _describe(id_, self._entries.get(id_), statuses.get(id_))
            for id_ in {**self._entries, **statuses}
        )

    def list_for(
        self, guild_id: int | None, role_ids: Collection[int] = ()
    ) -> tuple[OfferedModel, ...]:
        """List the models that a member may use in a server, or in direct messages (None)."""
        return tuple(each for each in self.list_all() if self._may_use(each.id, guild_id, role_ids))

    def can_edit(self, guild_id: int | None) -> bool:
        """Return whether everybody in a server may use a model that edits pictures."""
        return any(each.can_edit_now for each in self.list_for(guild_id))

    def find(
        self, typed: str, guild_id: int | None, role_ids: Collection[int] = ()
    ) -> OfferedModel:
        """Find the model that a member names.

        typed: its id, its label, or the beginning of one of them; capitals and spaces around it do
        not matter. Raises UserError, which names the models that this member may use. It does not
        say whether there are others.
        """
        offered = self.list_for(guild_id, role_ids)
        if not offered:
            raise UserError(because(Code.MODEL_NONE))
        wanted = fold(typed)
        # the id of another model, for example from a button, is not the beginning of a name
        is_known_id = any(_is_id(each, wanted) for each in self.list_all())
        for matches in (_is_id, _is_label) if is_known_id else (_is_id, _is_label, _begins):
            found = [each for each in offered if wanted and matches(each, wanted)]
            if len(found) == 1:
                return found[0]
            if found:
                raise UserError(because(Code.MODEL_SEVERAL, known=_name_some(found)))
        raise UserError(because(Code.MODEL_UNKNOWN, known=_name_some(offered)))

    def choose_default(
        self, wanted: str | None, guild_id: int | None, role_ids: Collection[int] = ()
    ) -> tuple[OfferedModel, Reason | None]:
        """Choose the model that draws the prompt of a member who names none.

        wanted: the id that the server's settings name; None means the installation's default. If
        this model is gone, has failed, only edits or is not for this member, another one takes its
        place, and the reason says so. It only edits if all do. Raises UserError if they may use no
        model.
        """
        offered = self.list_for(guild_id, role_ids)
        if not offered:
            raise UserError(because(Code.MODEL_NONE))
        drawing = [each for each in offered if not each.only_edits] or offered
        able = [each for each in drawing if not each.is_out] or drawing
        usual = wanted or drawing[0].id
        for each in able:
            if each.id == usual:
                return each, None
        label = next((each.label for each in offered if each.id == usual), usual)
        return able[0], because(Code.MODEL_DEFAULT_GONE, model=label, instead=able[0].label)

    def depicts_person(self, model: str | None) -> bool:
        """Return whether a model was trained on a real person.

        model: its id, or its label if it is not looked up yet. None means the default model.
        """
        entries = list(self._entries.values())
        if model is None:
            return any(entry.depicts_person for entry in entries[:1])
        name = fold(model)
        return any(
            entry.depicts_person and name in {fold(entry.id), fold(entry.label)}
            for entry in entries
        )

    def list_marks(self) -> dict[str, bool]:
        """Map the id of each model in MODELS_FILE, as it is compared, to ``depicts_person``."""
        return {fold(entry.id): entry.depicts_person for entry in self._entries.values()}

    def is_for_all(self, model: str) -> bool:
        """Return whether a model may draw any prompt: it has no limits, and is not of a person."""
        entry = self._entries.get(model)
        return entry is None or not (entry.guilds or entry.roles or entry.depicts_person)

    def _may_use(self, model: str, guild_id: int | None, role_ids: Collection[int]) -> bool:
        entry = self._entries.get(model)
        if entry is None:
            return True
        is_here = not entry.guilds or guild_id in entry.guilds
        return is_here and (not entry.roles or not entry.roles.isdisjoint(role_ids))


def _describe(id_: str, entry: ModelEntry | None, status: ModelStatus | None) -> OfferedModel:
    info = status.info if status else None
    return OfferedModel(
        id=id_,
        label=(entry and entry.label) or (info.name if info else id_),
        info=info,
        note=status.note if status else "",
        is_out=status is not None and status.is_out,
        licence=(entry and entry.licence) or (info.licence if info else ""),
        depicts_person=entry is not None and entry.depicts_person,
    )


def fold(text: str) -> str:
    """Return a name as it is compared: capitals and spaces around it do not matter."""
    return " ".join(text.casefold().split())


def _is_id(model: OfferedModel, wanted: str) -> bool:
    return fold(model.id) == wanted


def _is_label(model: OfferedModel, wanted: str) -> bool:
    return fold(model.label) == wanted


def _begins(model: OfferedModel, wanted: str) -> bool:
    return any(fold(name).startswith(wanted) for name in (model.id, model.label))


def _name_some(models: Sequence[OfferedModel]) -> list[str]:
    """Name the first models for a sentence, and add "…" if there are more."""
    labels = Counter(fold(each.label) for each in models)
    names = [
        each.label if labels[fold(each.label)] == 1 else f"{each.label} ({each.id})"
        for each in models
    ]
    return names[:_SHOWN] + (["…"] if len(names) > _SHOWN else [])
