"""From an HTTP request of ClickHouse's protocol to a statement the engine can run. No I/O.

The text of the statement is the ``query`` parameter, the body, or the first followed by the second
(clickhouse.com/docs/interfaces/http). ``INSERT … FORMAT name`` with data is split: the engine
streams data in the named format and never parses it as text. All other parameters are engine
settings, except those of the transport.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput

# Parameters that the transport consumes itself; the engine would refuse them.
TRANSPORT = frozenset(
    {
        "buffer_size",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "user",
        "wait_end_of_query",
    }
)
# Settings that a client may not touch: the historian's own limits.
GUARDED = frozenset({"max_execution_time", "max_memory_usage", "max_result_bytes"})

_HEAD_BYTES = 65_536
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_COMMENT = rb"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_INSERT = re.compile(
    rb"(?P<prefix>" + _COMMENT + rb"INSERT\s+INTO\s+(?:TABLE\s+)?"
    rb"(?:`[^`]*`|\"[^\"]*\"|[^\s(`\"])+\s*(?:\([^)]*\))?)\s*"
    rb"(?P<settings>SETTINGS\s.*?)?\s*FORMAT\s+(?P<format>\w+)[ \t]*;?[ \t]*(?:\r?\n|$)",
    re.IGNORECASE | re.DOTALL,
)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*(?:SETTINGS\b[^()]*)?;?\s*$", re.IGNORECASE)
_RETURNS = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(SELECT|WITH|SHOW|DESCRIBE|DESC|EXISTS|EXPLAIN|CHECK)\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(slots=True)
class Statement:
    """What to run. ``data`` is not None for an INSERT with data in ``format``."""

    sql: str
    format: str = "TabSeparated"
    data: list[bytes] | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    database: str = ""

    @property
    def returns_rows(self) -> bool:
        """Whether an answer, even an empty one, has a format."""
        return self.data is None and _RETURNS.match(self.sql) is not None


def _join_head(chunks: list[bytes]) -> bytes:
    head = b""
    for chunk in chunks:
        head += chunk[: _HEAD_BYTES - len(head)]
        if len(head) >= _HEAD_BYTES:
            break
    return head


def _drop(chunks: list[bytes], count: int) -> list[bytes]:
    """The chunks without their first ``count`` bytes."""
    rest = []
    for chunk in chunks:
        if count >= len(chunk):
            count -= len(chunk)
        else:
            rest.append(chunk[count:] if count else chunk)
            count = 0
    return rest


def _insert(text: bytes, chunks: list[bytes]) -> Statement | None:
    found = _INSERT.match(text)
    if found is None or found["format"].lower() == b"values":
        return None
    sql = found["prefix"].decode("utf-8", "replace").strip()
    if found["settings"]:
        sql += " " + found["settings"].decode("utf-8", "replace").strip()
    return Statement(sql, format=found["format"].decode(), data=_drop(chunks, found.end()))


def _text(query: str, body: list[bytes]) -> str:
    if not body:
        return query
    try:
        text = b"".join(body).decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "input.invalid", path="body", fault=Phrase("is no UTF-8 text", "不是 UTF-8 文本")
        ) from error
    return f"{query}\n{text}" if query else text


def _options(parameters: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(bound parameters, engine settings)."""
    bound: dict[str, str] = {}
    settings: dict[str, str] = {}
    for name, value in parameters.items():
        if name in TRANSPORT or name in GUARDED:
            continue
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                "input.invalid",
                path=name[:80],
                fault=Phrase("is no setting's name", "不是设置项名称"),
            )
        if name.startswith("param_"):
            bound[name.removeprefix("param_")] = value
        else:
            settings[name] = value
    return bound, settings


def parse(parameters: Mapping[str, str], body: list[bytes]) -> Statement:
    """The statement of a request: URL or form ``parameters`` and the body in chunks.

    Raises InvalidInput ``input.invalid`` for what cannot be a statement.
    """
    query = parameters.get("query", "")
    bound, settings = _options(parameters)
    statement = (
        _insert(query.encode() + b"\n", [b"", *body]) if query else _insert(_join_head(body), body)
    )
    if statement is not None and query:
        statement.data = body
    if statement is None:
        statement = Statement(_text(query, body))
        if not statement.sql.strip():
            raise InvalidInput("input.invalid", path="query", fault=Phrase("is empty", "为空"))
        named = _FORMAT.search(statement.sql)
        default = parameters.get("default_format", "TabSeparated")
        statement.format = named[1] if named else default
        if not _NAME.fullmatch(statement.format):
            raise InvalidInput(
                "input.invalid",
                path="default_format",
                fault=Phrase("is no format's name", "不是格式名称"),
            )
    statement.parameters = bound
    statement.settings = settings
    statement.database = parameters.get("database", "")
    return statement


def form_fields(content_type: str, body: bytes) -> dict[str, str]:
    """Fields of a multipart/form-data body (clients send long parameters this way)."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise InvalidInput(
            "input.invalid",
            path="body",
            fault=Phrase("is no multipart form", "不是 multipart 表单"),
        )
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None or not isinstance(name, str):
            raise InvalidInput(
                "input.invalid",
                path="body",
                fault=Phrase("external tables are not taken", "不接受外部表"),
            )
        payload = part.get_payload(decode=True)
        fields[name] = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    return fields
