"""Handles the bot's answers to interactions, at the callback and at the token's webhook."""

from playground.api.router import Call, Route
from playground.backend import Backend
from playground.messages import Request
from playground.world.world import Interaction, Json

TRUE = {"1", "true", "True"}


def respond(backend: Backend, call: Call) -> Json | None:
    interaction_id, token = call.id("interaction_id"), call.params["interaction_token"]
    interaction = backend.interactions.respond(interaction_id, token, call.object(), call.files)
    if call.query.get("with_response") in TRUE:
        return backend.interactions.callback_payload(interaction)
    return None


def follow_up(backend: Backend, call: Call) -> Json:
    interaction = _interaction(backend, call)
    message = backend.interactions.follow_up(interaction, _request(backend, interaction, call))
    return backend.payloads.message(message)


def get_message(backend: Backend, call: Call) -> Json:
    interaction = _interaction(backend, call)
    message = backend.interactions.find_message(interaction, call.params["message_id"])
    return backend.payloads.message(message)


def edit_message(backend: Backend, call: Call) -> Json:
    interaction = _interaction(backend, call)
    request = _request(backend, interaction, call)
    message = backend.interactions.edit(interaction, call.params["message_id"], request)
    return backend.payloads.message(message)


def delete_message(backend: Backend, call: Call) -> None:
    interaction = _interaction(backend, call)
    backend.interactions.delete(interaction, call.params["message_id"])


def _interaction(backend: Backend, call: Call) -> Interaction:
    return backend.interactions.by_token(call.id("webhook_id"), call.params["webhook_token"])


def _request(backend: Backend, interaction: Interaction, call: Call) -> Request:
    limit = backend.interactions.size_limit(interaction)
    return Request(call.object(), call.files, limit, mention_default=("users",))


CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"
WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"
MESSAGE = WEBHOOK + "/messages/{message_id}"
ROUTES = [
    Route("POST", CALLBACK, respond, needs_token=False),
    Route("POST", WEBHOOK, follow_up, needs_token=False),
    Route("GET", MESSAGE, get_message, needs_token=False),
    Route("PATCH", MESSAGE, edit_message, needs_token=False),
    Route("DELETE", MESSAGE, delete_message, needs_token=False),
]
