"""Every reason that can be saved. Its sentence is in ``sentences``.

Codes are stored in databases. So you may change a sentence, but not a code's name or fields.
"""

from __future__ import annotations

from enum import StrEnum, auto


class Code(StrEnum):
    """Why something was refused, held, ended, decided or changed."""

    # The request
    PROMPT_EMPTY = auto()
    PROMPT_TOO_LONG = auto()
    NEGATIVE_PROMPT_TOO_LONG = auto()
    STEPS_OUT_OF_RANGE = auto()
    OUT_OF_RANGE = auto()
    SEED_OUT_OF_RANGE = auto()
    SIDE_OUT_OF_RANGE = auto()
    STRENGTH_OUT_OF_RANGE = auto()
    STRENGTH_WITHOUT_PICTURE = auto()
    SIZE_NOT_READ = auto()
    SEED_NOT_READ = auto()
    SAMPLER_UNKNOWN = auto()
    SAMPLER_NEARLY = auto()
    SAMPLER_NOT_OF_MODEL = auto()
    PRESET_UNKNOWN = auto()
    STYLE_UNKNOWN = auto()
    SIDE_NOT_OF_MODEL = auto()
    AREA_NOT_OF_MODEL = auto()
    RECIPE_NEWER = auto()
    ALREADY_PRESSED = auto()

    # The place and the person
    MAY_NOT_ATTACH = auto()
    SERVER_PAUSED = auto()
    OTHER_CHANNELS = auto()
    OTHER_ROLES = auto()
    MEMBER_TOO_NEW = auto()
    MEMBER_OF_UNKNOWN_AGE = auto()
    SUSPENDED = auto()
    RESTARTING = auto()

    # Limits and quotas
    ROLES_MAY_NOT_WAIT = auto()
    MEMBER_WAITS = auto()
    SERVER_WAITS = auto()
    DIRECT_MESSAGES_WAIT = auto()
    QUEUE_FULL = auto()
    COST_THIS_HOUR = auto()
    COST_THIS_DAY = auto()
    WAIT_TOO_LONG = auto()

    # The rules and the picture check
    RULE_REFUSES = auto()
    RULE_HOLDS = auto()
    RULE_COVERS = auto()
    PATTERN_REFUSES = auto()
    PATTERN_HOLDS = auto()
    PATTERN_COVERS = auto()
    RULES_TOO_COSTLY = auto()
    MINORS_REFUSED = auto()
    MINORS_REFUSED_BEHIND = auto()
    MINORS_HELD = auto()
    MINORS_HELD_BEHIND = auto()
    PEOPLE_REFUSED = auto()
    PEOPLE_REFUSED_BEHIND = auto()
    PEOPLE_HELD = auto()
    PEOPLE_HELD_BEHIND = auto()
    SENT_PICTURE_UNDRESSED = auto()
    EVERYTHING_REVIEWED = auto()
    NEWCOMERS_REVIEWED = auto()
    NO_REVIEW_HERE = auto()
    STARTS_COVERED = auto()
    PICTURES_FLAGGED = auto()
    PICTURES_UNCHECKED = auto()

    # A picture that a member sent
    UPLOAD_TOO_LARGE = auto()
    UPLOAD_TOO_MANY_PIXELS = auto()
    UPLOAD_NO_PICTURE = auto()
    UPLOAD_DAMAGED = auto()
    UPLOAD_MOVES = auto()
    UPLOAD_TOO_SLOW = auto()
    UPLOAD_NOT_OPENED = auto()
    UPLOAD_NO_TURN = auto()
    UPLOAD_FLAGGED = auto()
    UPLOAD_UNCHECKED = auto()
    UPLOAD_NOT_FETCHED = auto()
    FILE_NOT_READ = auto()
    START_GONE = auto()

    # How a prompt ended
    CANCELLED = auto()
    DELETED = auto()
    THREAD_CLOSED = auto()
    ANSWERED_TOO_LATE = auto()
    NEVER_ANSWERED = auto()
    COMMAND_INTERRUPTED = auto()
    DRAWING_FAILED = auto()
    DRAWING_INTERRUPTED = auto()
    RESTARTED_IN_QUEUE = auto()
    RESTARTED_BEFORE_TAKEN = auto()
    RESTARTED_BEFORE_UPLOAD = auto()
    PICTURES_LOST = auto()
    NOT_POSTED = auto()
    MODERATOR_REFUSED = auto()
    NOT_REVIEWED_IN_TIME = auto()
    CARD_NOT_POSTED = auto()
    UNEXPLAINED = auto()

    # Why Discord refuses a message
    MAY_NOT_POST = auto()
    MESSAGE_GONE = auto()
    MESSAGE_OUT_OF_REACH = auto()
    FILES_TOO_LARGE = auto()
    FILES_NOT_TAKEN = auto()
    THREAD_ARCHIVED = auto()
    DISCORD_REFUSED = auto()

    # The database and the disk
    DISK_FULL = auto()
    RECORD_READ_ONLY = auto()
    RECORD_NOT_WRITTEN = auto()
    PICTURES_NOT_SAVED = auto()
    STOPPING = auto()

    # What the engine cannot draw
    MODEL_NOT_LOADED = auto()
    MODEL_OUT = auto()
    MODEL_OUT_ALONE = auto()
    NO_SEEDS = auto()
    SIZE_NOT_OF_MODEL = auto()
    NO_STEPS = auto()
    GUIDANCE_NOT_A_NUMBER = auto()
    SHARES_OUT_OF_RANGE = auto()
    START_OF_WRONG_SHAPE = auto()
    NOT_IN_TABLES = auto()
    TOO_LARGE_FOR_DEVICE = auto()
    DRAWN_ALREADY = auto()

    # What moderators decide, and what follows
    OWN_WORDS = auto()
    STRIKES = auto()
    SUSPENDED_FOR_REFUSED = auto()
    STRUCK_FOR_REPORTED = auto()
    PICTURES_RESTORED = auto()
    PICTURES_REMOVED = auto()
    PICTURES_REMOVED_WITH_STRIKE = auto()
    APPEAL_GRANTED = auto()
    APPEAL_DENIED = auto()
    MODERATOR_LIFTED = auto()

    # Which part of a server's configuration was changed
    SETTING = auto()
    SETTING_OF_CHANNEL = auto()
    STYLE = auto()
    RULES_BEYOND_BUDGET = auto()

    # Pictures from devices
    UPLOAD_HEIC = auto()
    UPLOAD_OF_OTHER_KIND = auto()
    UPLOAD_OF_OTHER_COLOURS = auto()

    # Pictures of a model that the picture check does not know
    MODEL_REVIEWED = auto()

    # The reason for a moderator's decision, and how to appeal
    EXPLAINED = auto()
    WITH_APPEAL = auto()
    APPEAL_TO_MODERATORS = auto()
    APPEAL_IN_CHANNEL = auto()

    # Members who left
    MEMBER_LEFT = auto()

    # Too many requests
    TOO_BUSY = auto()
    TOO_FAST = auto()
    TOO_MANY_REFUSED = auto()
    NOT_READ = auto()
    HEAVY_WORK_GOES_ON = auto()
    HEAVY_WORK_SPENT = auto()

    # What else can happen in Discord
    ANSWERED_ELSEWHERE = auto()
    MESSAGE_DELETED = auto()
    TEXT_NOT_TAKEN = auto()

    # Enlarging
    UPSCALER_CHANGED = auto()

    # Starting a round
    ROUNDS_OFF = auto()
    ROUND_OTHER_CHANNELS = auto()
    ROUND_OTHER_ROLES = auto()
    ROUND_NEEDS_BOT = auto()
    ROUND_RUNS_HERE = auto()
    ROUNDS_AT_ONCE = auto()
    ROUND_MINUTES = auto()
    ROUND_PHRASES_EACH = auto()
    THEME_EMPTY = auto()
    THEME_TOO_LONG = auto()
    THEME_NEEDS_REVIEW = auto()
    THEME_NO_ROOM = auto()
    NO_WINNER = auto()

    # A round and its phrases
    ROUND_UNKNOWN = auto()
    ROUND_NOT_OPEN = auto()
    ROUND_NOT_ASKING = auto()
    ROUND_OVER = auto()
    PHRASE_EMPTY = auto()
    PHRASE_TOO_LONG = auto()
    PHRASE_DOUBLE = auto()
    PHRASE_IN_COMPANY = auto()
    PHRASES_SPENT = auto()
    PHRASE_NO_ROOM = auto()
    PHRASES_FULL = auto()
    PHRASE_UNKNOWN = auto()
    PHRASE_NOT_YOURS = auto()
    NOT_VOTING = auto()
    NO_SUCH_PANEL = auto()
    SEVERAL_AUTHORS = auto()
    PHRASE_STRUCK = auto()
    ROUND_REVIEWED = auto()
    AUTHOR_WITHOUT_SHARE = auto()

    # How a round ended
    ROUND_EMPTY = auto()
    ROUND_NOT_CONFIRMED = auto()
    ROUND_CANCELLED = auto()
    ROUND_OUT_OF_REACH = auto()
    ROUND_NO_SHARES = auto()
    ROUND_WITHOUT_PICTURES = auto()

    # Several models
    MODEL_UNKNOWN = auto()
    MODEL_SEVERAL = auto()
    MODEL_NONE = auto()
    MODEL_DEFAULT_GONE = auto()
    MODEL_GONE = auto()
    PERSON_MODEL_UNDRESSED = auto()
    NO_MODEL_EDITS = auto()
    OTHERS_EDIT = auto()
    MODEL_EDITS_NOTHING = auto()
    MODEL_ONLY_EDITS = auto()
    OTHERS_DRAW = auto()
