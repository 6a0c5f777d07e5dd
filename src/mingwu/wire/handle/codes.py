"""Numbers of the Handle protocol: operations, outcomes, flags, limits (RFC 3652 §2.2).

The sets are open: a peer may use numbers that do not stand here, so decoders keep plain integers
and these enumerations only name the known ones. ``IDIS_*`` are the additions of the Chinese
national nodes; everything else is the protocol as deployed world-wide.
"""

from enum import IntEnum, IntFlag

ENVELOPE_BYTES = 20
HEADER_BYTES = 24
UDP_PACKET_BYTES = 512
MAX_MESSAGE_BYTES = 262_144
IDIS_MAX_MESSAGE_BYTES = 16_672_500
MAX_HANDLE_BYTES = 2048
MAX_VALUES = 2048
DEFAULT_PORT = 2641
IDIS_PORT = 1304
NO_SITE_SERIAL = 0xFFFF


class Op(IntEnum):
    """What a message asks for (header, first field)."""

    RESOLVE = 1
    SITE_INFO = 2
    CREATE = 100
    DELETE = 101
    ADD_VALUE = 102
    REMOVE_VALUE = 103
    MODIFY_VALUE = 104
    LIST_HANDLES = 105
    CHALLENGE_ANSWER = 200
    VERIFY_CHALLENGE = 201
    HOME_PREFIX = 300
    UNHOME_PREFIX = 301
    LIST_PREFIXES = 302
    SESSION_SETUP = 400
    SESSION_TERMINATE = 401
    SESSION_EXCHANGE_KEY = 402
    NEXT_TXN_ID = 1000
    RETRIEVE_TXN_LOG = 1001
    DUMP = 1002
    BACKUP = 1003
    IDIS_LOGIN_PASSWORD = 2000
    IDIS_LOGIN_KEY = 2001


class Rc(IntEnum):
    """How it went (header, second field); 0 marks a request."""

    REQUEST = 0
    SUCCESS = 1
    ERROR = 2
    TOO_BUSY = 3
    PROTOCOL_ERROR = 4
    NOT_SUPPORTED = 5
    RECURSION_TOO_HIGH = 6
    READ_ONLY = 7
    HANDLE_NOT_FOUND = 100
    HANDLE_EXISTS = 101
    INVALID_HANDLE = 102
    VALUES_NOT_FOUND = 200
    VALUE_EXISTS = 201
    INVALID_VALUE = 202
    STALE_SITE_INFO = 300
    NOT_RESPONSIBLE = 301
    SERVICE_REFERRAL = 302
    PREFIX_REFERRAL = 303
    INVALID_ADMIN = 400
    NO_PERMISSION = 401
    AUTHENTICATION_NEEDED = 402
    AUTHENTICATION_FAILED = 403
    BAD_CREDENTIAL = 404
    AUTHENTICATION_TIMEOUT = 405
    AUTHENTICATION_ERROR = 406
    IDIS_LOGIN_AGAIN = 407
    IDIS_LOGIN_FIRST = 408
    SESSION_TIMEOUT = 500
    SESSION_FAILED = 501
    SESSION_BAD_KEY = 502
    SESSION_NEEDS_RSA = 503
    SESSION_BAD_SETUP = 504
    SESSION_DUPLICATE = 505
    IDIS_DAILY_LIMIT = 603
    IDIS_REGISTER_LIMIT = 604
    IDIS_PREFIX_LIMIT = 605
    IDIS_CREDENTIAL_FAILED = 3001


class OpFlag(IntFlag):
    """Operation flags (header, third field)."""

    AUTHORITATIVE = 0x8000_0000
    CERTIFY = 0x4000_0000
    ENCRYPT = 0x2000_0000
    RECURSIVE = 0x1000_0000
    CACHE_CERTIFY = 0x0800_0000
    CONTINUOUS = 0x0400_0000
    KEEP_ALIVE = 0x0200_0000
    PUBLIC_ONLY = 0x0100_0000
    REQUEST_DIGEST = 0x0080_0000
    OVERWRITE = 0x0040_0000
    MINT_SUFFIX = 0x0020_0000
    NO_REFERRAL = 0x0010_0000
    IDIS_TRUST_ASKED = 0x0000_0002
    IDIS_TRUST_VERIFIED = 0x0000_0001


class EnvelopeFlag(IntFlag):
    """Envelope flags (byte 2, upper bits; the lower bits suggest a protocol major)."""

    COMPRESSED = 0x80
    ENCRYPTED = 0x40
    TRUNCATED = 0x20


class Permission(IntFlag):
    """Who may do what with a value (value byte 13)."""

    ADMIN_READ = 8
    ADMIN_WRITE = 4
    PUBLIC_READ = 2
    PUBLIC_WRITE = 1


# Plain integers where every value passes: flag arithmetic costs a microsecond each.
PUBLIC_READ = int(Permission.PUBLIC_READ)
DEFAULT_PERMISSIONS = int(Permission.ADMIN_READ | Permission.ADMIN_WRITE | Permission.PUBLIC_READ)


class AdminRight(IntFlag):
    """What an administrator named by HS_ADMIN may do (HS_ADMIN data, first field)."""

    ADD_HANDLE = 0x001
    DELETE_HANDLE = 0x002
    ADD_DERIVED_PREFIX = 0x004
    DELETE_DERIVED_PREFIX = 0x008
    MODIFY_VALUE = 0x010
    REMOVE_VALUE = 0x020
    ADD_VALUE = 0x040
    MODIFY_ADMIN = 0x080
    REMOVE_ADMIN = 0x100
    ADD_ADMIN = 0x200
    READ_VALUE = 0x400
    LIST_HANDLES = 0x800


ALL_RIGHTS = AdminRight(0xFFF)


class DigestAlgorithm(IntEnum):
    """One-byte digest codes in request digests and secret-key answers."""

    MD5_OLD = 0
    MD5 = 1
    SHA1 = 2
    SHA256 = 3
    HMAC_SHA1 = 0x12
    HMAC_SHA256 = 0x13
    PBKDF2_HMAC_SHA1 = 0x22
