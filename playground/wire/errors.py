"""Discord's error answers."""

from collections.abc import Sized
from typing import Any

Json = dict[str, Any]
Path = tuple[str | int, ...]

# code: (HTTP status, message). https://discord.com/developers/docs/topics/opcodes-and-status-codes
KNOWN_ERRORS: dict[int, tuple[int, str]] = {
    0: (401, "401: Unauthorized"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10011: (404, "Unknown Role"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    30015: (400, "Maximum number of attachments in a message reached (10)"),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    40094: (400, "This interaction has reached the maximum number of follow up messages (5)"),
    50001: (403, "Missing Access"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50027: (401, "Invalid Webhook Token"),
    50033: (400, "Invalid Recipient(s)"),
    50035: (400, "Invalid Form Body"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
}


class ApiError(Exception):
    """An error answer: an HTTP status, Discord's own code and its message."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> Json:
        body: Json = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        return body


def api_error(code: int) -> ApiError:
    """Make Discord's error for this code, with its status and message."""
    status, message = KNOWN_ERRORS[code]
    return ApiError(status, code, message)


class FormErrors:
    """Collects the faults of a request body, in the tree form of error 50035."""

    def __init__(self, root: Path = ()) -> None:
        self._root = root
        self._tree: Json = {}

    def add(self, path: Path, code: str, message: str) -> None:
        node = self._tree
        for key in (*self._root, *path):
            node = node.setdefault(str(key), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def check_length(
        self, path: Path, value: Sized | None, most: int, *, least: int = 0, what: str = "in length"
    ) -> None:
        length = 0 if value is None else len(value)
        if length > most and least:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} {what}.")
        elif length > most:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer {what}.")
        elif not length and least:
            self.add(path, "BASE_TYPE_REQUIRED", "This field is required")
        elif length < least:
            self.add(path, "BASE_TYPE_MIN_LENGTH", f"Must be {least} or more {what}.")

    def raise_if_any(self) -> None:
        if self._tree:
            status, message = KNOWN_ERRORS[50035]
            raise ApiError(status, 50035, message, self._tree)


def form_error(path: Path, code: str, message: str) -> ApiError:
    """Make error 50035 ("Invalid Form Body") for one fault."""
    status, sentence = KNOWN_ERRORS[50035]
    errors = FormErrors()
    errors.add(path, code, message)
    return ApiError(status, 50035, sentence, errors._tree)
