"""The tables of the enterprise node as SQLAlchemy sees them; the migrations create them."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()


def _text(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _long(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


industry = Table(
    "enterprise_industry",
    metadata,
    Column("code", Text, primary_key=True),
    *_text("parent"),
    Column("level", Integer, nullable=False),
    *_text("zh", "en", "source"),
)
template = Table(
    "enterprise_template",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    *_text("prefix", "version", "handle_key", "state"),
    *_long("revision"),
    *_text("name_zh", "name_en", "classify", "definition", "created_by"),
    *_long("created_at_ms", "changed_at_ms"),
)
template_revision = Table(
    "enterprise_template_revision",
    metadata,
    Column("template", BigInteger, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    *_long("at_ms"),
    *_text("actor", "action", "definition"),
)
identifier = Table(
    "enterprise_identifier",
    metadata,
    Column("key", Text, primary_key=True),
    *_text("name", "prefix", "kind"),
    *_long("template"),
    *_text("state"),
    *_long("version", "sequence"),
    *_text("owner"),
    *_long("registered_at_ms", "changed_at_ms"),
)
history = Table(
    "enterprise_history",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    *_long("previous"),
    *_text("name"),
    *_long("version"),
    *_text("kind"),
    *_long("template"),
    *_text("state", "action", "actor"),
    *_long("at_ms"),
    *_text("content", "note"),
)
unique = Table(
    "enterprise_unique",
    metadata,
    Column("template", BigInteger, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    *_text("key"),
)
reprojection = Table(
    "enterprise_reprojection",
    metadata,
    Column("template", BigInteger, primary_key=True, autoincrement=False),
    *_text("after_key"),
)
group = Table(
    "enterprise_group", metadata, Column("name", Text, primary_key=True), *_text("zh", "en")
)
member = Table(
    "enterprise_member",
    metadata,
    Column("group_name", Text, primary_key=True),
    Column("member", Text, primary_key=True),
)
grant = Table(
    "enterprise_grant",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("grantee", "scope", "target", "item")),
    Column("may", Text, primary_key=True),
    *_text("granted_by"),
    *_long("at_ms"),
)
own_access = Table(
    "enterprise_own_access",
    metadata,
    Column("key", Text, primary_key=True),
    Column("is_public", Boolean, nullable=False),
)
application = Table(
    "enterprise_application",
    metadata,
    Column("handle_key", Text, primary_key=True),
    *_text("handle", "login", "title", "account", "secret_sha256", "public_key"),
    Column("enabled", Boolean, nullable=False),
    *_long("created_at_ms", "last_used_at_ms"),
)
session = Table(
    "enterprise_session",
    metadata,
    Column("session", Text, primary_key=True),
    *_text("handle"),
    *_long("expires_at_ms"),
)
mapping = Table(
    "enterprise_mapping",
    metadata,
    Column("name", Text, primary_key=True),
    *_text("definition", "changed_by"),
    *_long("changed_at_ms"),
)
upload = Table(
    "enterprise_upload",
    metadata,
    Column("id", Text, primary_key=True),
    *_text("name"),
    *_long("size"),
    *_text("sha256", "form", "created_by"),
    *_long("at_ms"),
)
upload_part = Table(
    "enterprise_upload_part",
    metadata,
    Column("upload", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
import_job = Table(
    "enterprise_import",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    *_text("state"),
    Column("dry", Boolean, nullable=False),
    *_text("mapping", "upload", "source", "file", "sha256", "actor", "address", "owner"),
    Column("cancel", Boolean, nullable=False),
    *_text("fault"),
    *_long("total"),
    *_text("report"),
    *_long("created_at_ms", "started_at_ms", "beat_at_ms", "ended_at_ms"),
)
import_row = Table(
    "enterprise_import_row",
    metadata,
    Column("job", BigInteger, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    *_text("outcome", "name", "code", "detail"),
)
