"""Every exception that Triptych raises on purpose.

TriptychError
├── ConfigError            the owner must change something; shown at start, with the remedy
├── Explained              its text may be shown to members; its reason may be stored
│   ├── UserError              the member must change something
│   ├── StoreError             the database could not be written or read
│   │   ├── DataDirLocked          another Triptych process owns the data directory
│   │   ├── Unconfirmed            the change may be written later, or not at all
│   │   └── NotInQueueYet          the prompt is accepted all the same; do not send it again
│   └── GenerationRejected     also an EngineError, see below
├── WorkerError            work in a worker process failed
│   ├── WorkerTimeout          it took too long and was killed
│   ├── WorkerLost             its process died: out of memory, or a fault in a library
│   └── WorkerUnavailable      it was not started: no worker was free, or the bot is stopping
├── TooCostly              a server's rules took too long to judge one prompt
└── EngineError            drawing failed; the text is for the log
    ├── GenerationCancelled    somebody cancelled it
    ├── GenerationRejected     this request can never be drawn
    ├── GenerationFailed       this request failed (such as NaN, out of memory); others go on
    ├── ModelOut               a model does not work any more; the engine's other models do
    ├── EngineGone             one of several engines was lost; another one can draw the request
    └── EngineLost             the device does not work any more; a new process must start
"""

from bot.texts.codes import Code
from bot.texts.reasons import Reason, because, say


class TriptychError(Exception):
    """The base class of all errors in this file."""


class ConfigError(TriptychError):
    """Says what is wrong with the installation and what to do about it."""


class Explained(TriptychError):
    """Tells members what happened, what to do, and that nothing was lost.

    said: a reason, or a sentence. Only a reason can be stored and shown in any language.
    """

    def __init__(self, said: Reason | str) -> None:
        super().__init__(said)
        self.reason = said if isinstance(said, Reason) else because(Code.UNEXPLAINED)

    def __str__(self) -> str:
        [said] = self.args
        return say(said) if isinstance(said, Reason) else said


class UserError(Explained):
    """The member must change something. The text says what happened and what to do."""


class StoreError(Explained):
    """The database or the disk could not be written or read. No change was written in part."""


class NotInQueueYet(StoreError):
    """A prompt was accepted and stored, but its next state could not be written yet."""


class DataDirLocked(StoreError):
    """Another process uses the data directory. The text names the process and the directory."""


class Unconfirmed(StoreError):
    """A commit took too long. The change may be written later, or not at all."""


class WorkerError(TriptychError):
    """A worker process did not finish its work. The text is only for the log."""


class WorkerTimeout(WorkerError):
    """The work took too long, so its process was killed."""


class WorkerLost(WorkerError):
    """The process died: it needed too much memory, or a library has a fault."""


class WorkerUnavailable(WorkerError):
    """The work was not started. Trying again later may work."""


class TooCostly(TriptychError):
    """The check of a prompt was stopped because the server's rules had used up their time."""


class EngineError(TriptychError):
    """Something went wrong while drawing."""


class GenerationCancelled(EngineError):
    """The request was cancelled before its pictures were finished."""


class GenerationRejected(Explained, EngineError):
    """The request does not fit the model (size, sampler, steps)."""


class GenerationFailed(EngineError):
    """The request could not be drawn this time."""


class ModelOut(EngineError):
    """The engine cannot draw with this model now. Its other models go on."""


class EngineGone(EngineError):
    """The engine that had the request is lost. Another one can draw it."""


class EngineLost(EngineError):
    """The engine cannot draw any more. The process must end (exit code 75) and start again."""
