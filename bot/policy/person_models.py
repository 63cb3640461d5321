"""Remembers which models were trained on real people, also after they have left MODELS_FILE."""

from __future__ import annotations

import json

from bot.policy.models import ModelCatalog, fold
from bot.store import MetaRepository

_KEY = "person_models"


class PersonModels:
    """Finds out whether a model was trained on a real person.

    A model that is renamed, removed or described with a mistake is no longer in the catalog, but
    its pictures still show that person. So the database has the ids of all models that were ever
    marked. The owner can correct the mark while the model is in the file.
    """

    def __init__(self, models: ModelCatalog, meta: MetaRepository) -> None:
        self._models = models
        self._meta = meta
        self._ids: frozenset[str] | None = None

    async def includes(self, model: str | None) -> bool:
        """Return whether a model was trained on a real person. model: None for the default one."""
        if self._ids is None:
            self._ids = await self._update()
        return self._models.depicts_person(model) or (
            model is not None and fold(model) in self._ids
        )

    async def _update(self) -> frozenset[str]:
        """Add the present models to those on record, and return all ids. Raises StoreError."""
        known = frozenset(json.loads(await self._meta.fetch(_KEY) or "[]"))
        present = self._models.list_marks()
        marked = {id_ for id_, is_marked in present.items() if is_marked}
        found = known.difference(present) | marked
        if found != known:
            await self._meta.put(_KEY, json.dumps(sorted(found)))
        return found
