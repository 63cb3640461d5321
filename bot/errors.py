"""Every exception Triptych raises on purpose.

TriptychError
├── ConfigError            the owner must change something; shown at start, with the remedy
├── Explained              its text is safe to show to members, its reason may go on record
│   ├── UserError              the member must change something
│   ├── StoreError             the record could not be kept
│   │   └── DataDirLocked          another Triptych process owns the data directory
│   └── GenerationRejected     an EngineError: see there
├── WorkerError            work in a process of its own came to nothing
│   ├── WorkerTimeout          it took too long and was killed
│   ├── WorkerLost             its process died, for want of memory or by a fault in a library
│   └── WorkerUnavailable      nothing was tried: others were in front, or the bot is stopping
├── TooCostly              a server's rules took too long over one prompt; the guard says so
└── EngineError            drawing did not work; the text is for the log
    ├── GenerationCancelled    somebody asked for it
    ├── GenerationRejected     this request can never be drawn
    ├── GenerationFailed       this request went wrong (not finite, out of memory); others go on
    └── EngineLost             the device context is dead: the process must be replaced
"""

from bot.texts.codes import Code
from bot.texts.reasons import Reason, because, say


class TriptychError(Exception):
    """Root of the tree."""


class ConfigError(TriptychError):
    """Says what is wrong with the installation and what to do about it."""


class Explained(TriptychError):
    """Says to members what happened, what to do, and that nothing was lost.

    said: a reason, or a sentence that is shown at once: only a reason can go on record.
    """

    def __init__(self, said: Reason | str) -> None:
        super().__init__(said)
        self.reason = said if isinstance(said, Reason) else because(Code.UNEXPLAINED)

    def __str__(self) -> str:
        [said] = self.args
        return say(said) if isinstance(said, Reason) else said


class UserError(Explained):
    """Says to a member what happened, what to do, and that nothing was lost."""


class StoreError(Explained):
    """The database or the disk did not take what it was given; nothing was half-written."""


class DataDirLocked(StoreError):
    """Another process works in the data directory; the text names it."""


class WorkerError(TriptychError):
    """A worker process did not finish its work; the text is for the log."""


class WorkerTimeout(WorkerError):
    """The work took longer than it may, so its process was killed."""


class WorkerLost(WorkerError):
    """The process died at its work: it needed too much memory, or a library has a fault."""


class WorkerUnavailable(WorkerError):
    """The work was not tried; it may be worth trying later."""


class TooCostly(TriptychError):
    """A search was ended because the rules it was for had spent their time."""


class EngineError(TriptychError):
    """Something went wrong while drawing."""


class GenerationCancelled(EngineError):
    """The request was cancelled before its pictures were finished."""


class GenerationRejected(Explained, EngineError):
    """The request does not fit the model (size, sampler, steps)."""


class GenerationFailed(EngineError):
    """The request could not be drawn this time."""


class EngineLost(EngineError):
    """The engine cannot draw any more in this process (exit code 75)."""
