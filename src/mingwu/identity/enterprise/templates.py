"""The data templates of a store: create, change, publish, withdraw, delete, with every revision.

Invariants: indexes are unique in a template and never move to another type; a type that was ever
published stays in the template (it can be disabled), so stored values never lose their meaning;
types that administer names (``HS_…``) or that the resolver makes itself (``MW.…``) are refused,
otherwise a value could hand out rights over its name. All methods block (SQL).
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, or_, select, update

from mingwu.identity.enterprise import industry, schema
from mingwu.identity.enterprise.model import (
    FIRST_INDEX,
    LAST_INDEX,
    DataType,
    Item,
    Revision,
    Template,
    TemplateDef,
    TemplateRef,
    TemplateState,
)
from mingwu.identity.enterprise.validation import Checker, date_pattern
from mingwu.kernel.errors import Conflict, InvalidInput, MingwuError, NotFound
from mingwu.kernel.names import fold, parse
from mingwu.store.engine import lock, reading, writing

LOCK = "enterprise"
_FORBIDDEN_TYPES = ("HS_", "MW.")
_DELETABLE = {TemplateState.DRAFT, TemplateState.WITHDRAWN}
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(TemplateDef).decode


class Templates:
    """The templates of the enterprise's ``prefixes``."""

    def __init__(self, engine: Engine, prefixes: Sequence[str], now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._prefixes = {fold(prefix) for prefix in prefixes}
        self._now_ms = now_ms
        self._checkers: dict[int, Checker] = {}

    # -- changing -----------------------------------------------------------------------------

    def create(self, definition: TemplateDef, *, actor: str, publish: bool = False) -> Template:
        """A new template, as draft or published at once.

        Raises InvalidInput ``enterprise.template-bad`` or ``industry-bad``, Conflict
        ``enterprise.template-taken``.
        """
        definition = completed(definition, None)
        self._check_prefix(definition)
        state = TemplateState.PUBLISHED if publish else TemplateState.DRAFT
        with writing(self._engine) as connection:
            lock(connection, LOCK)
            industry.check(connection, definition.industry)
            self._refuse_taken(connection, definition)
            highest = select(func.coalesce(func.max(schema.template.c.number), 0))
            now = self._now_ms()
            template = Template(
                number=connection.execute(highest).scalar_one() + 1,
                state=state,
                revision=0,
                created_by=actor,
                created_at_ms=now,
                changed_at_ms=now,
                definition=definition,
            )
            connection.execute(insert(schema.template).values(_row(template)))
            return self._revised(connection, template, actor, "create")

    def change(self, ref: TemplateRef, definition: TemplateDef, *, actor: str) -> Template:
        """Give a template another definition; prefix, version and handle stay.

        Returns the new revision. The caller projects the identifiers again when what may be read
        has changed (:func:`readers_differ`).
        """
        with writing(self._engine) as connection:
            lock(connection, LOCK)
            old = self._get(connection, ref)
            kept = {name: getattr(old.definition, name) for name in ("prefix", "version", "handle")}
            definition = completed(msgspec.structs.replace(definition, **kept), old)
            industry.check(connection, definition.industry)
            template = msgspec.structs.replace(
                old, definition=definition, changed_at_ms=self._now_ms()
            )
            if readers_differ(old, template):
                self._ask_reprojection(connection, template.number)
            return self._revised(connection, template, actor, "change")

    def set_published(self, ref: TemplateRef, *, published: bool, actor: str) -> Template:
        """Publish or withdraw; names registered before are not touched by a withdrawal."""
        state = TemplateState.PUBLISHED if published else TemplateState.WITHDRAWN
        with writing(self._engine) as connection:
            lock(connection, LOCK)
            old = self._get(connection, ref)
            if old.state is state:
                return old
            template = msgspec.structs.replace(old, state=state, changed_at_ms=self._now_ms())
            return self._revised(
                connection, template, actor, "publish" if published else "withdraw"
            )

    def delete(self, ref: TemplateRef, *, even_published: bool = False) -> None:
        """Delete a template without identifiers; Conflict ``enterprise.template-in-use``."""
        with writing(self._engine) as connection:
            lock(connection, LOCK)
            template = self._get(connection, ref)
            used = select(schema.identifier.c.key)
            used = used.where(schema.identifier.c.template == template.number).limit(1)
            fault = ""
            if connection.execute(used).first() is not None:
                fault = "identifiers are registered with it"
            elif template.state not in _DELETABLE and not even_published:
                fault = "it is published"
            if fault:
                raise Conflict("enterprise.template-in-use", template=template.label, fault=fault)
            number = template.number
            table = schema.template
            connection.execute(delete(table).where(table.c.number == number))
            log = schema.template_revision
            connection.execute(delete(log).where(log.c.template == number))
        self._checkers.pop(number, None)

    def _revised(
        self, connection: Connection, template: Template, actor: str, action: str
    ) -> Template:
        template = msgspec.structs.replace(template, revision=template.revision + 1)
        table = schema.template
        statement = update(table).where(table.c.number == template.number)
        connection.execute(statement.values(_row(template)))
        connection.execute(
            insert(schema.template_revision).values(
                template=template.number,
                revision=template.revision,
                at_ms=template.changed_at_ms,
                actor=actor,
                action=action,
                definition=_encode(template.definition).decode(),
            )
        )
        return template

    @staticmethod
    def _ask_reprojection(connection: Connection, number: int) -> None:
        table = schema.reprojection
        connection.execute(delete(table).where(table.c.template == number))
        connection.execute(insert(table).values(template=number, after_key=""))

    def _check_prefix(self, definition: TemplateDef) -> None:
        if fold(definition.prefix) not in self._prefixes:
            known = ", ".join(sorted(self._prefixes))
            raise InvalidInput("enterprise.foreign-prefix", name=definition.prefix, prefixes=known)

    @staticmethod
    def _refuse_taken(connection: Connection, definition: TemplateDef) -> None:
        table, names = schema.template, schema.identifier
        key = fold(definition.handle)
        same = (table.c.prefix == definition.prefix) & (table.c.version == definition.version)
        taken = select(table.c.number).where(or_(same, table.c.handle_key == key))
        named = select(names.c.key).where(names.c.key == key)
        if connection.execute(taken).first() or connection.execute(named).first():
            label = f"{definition.prefix} {definition.version}"
            raise Conflict("enterprise.template-taken", template=label)

    # -- asking -------------------------------------------------------------------------------

    def get(self, ref: TemplateRef) -> Template:
        """One template; NotFound ``enterprise.template-unknown``."""
        with reading(self._engine) as connection:
            return self._get(connection, ref)

    def list(
        self, *, classify: str = "", text: str = "", state: TemplateState | None = None
    ) -> list[Template]:
        """Templates, latest first."""
        table = schema.template
        query = select(table).order_by(table.c.number.desc())
        if classify:
            query = query.where(table.c.classify == classify)
        if state is not None:
            query = query.where(table.c.state == state.value)
        for word in text.split():
            columns = (table.c.version, table.c.name_zh, table.c.name_en, table.c.handle_key)
            query = query.where(or_(*(c.icontains(word, autoescape=True) for c in columns)))
        with reading(self._engine) as connection:
            return [_template(row) for row in connection.execute(query).mappings()]

    def revisions(self, ref: TemplateRef) -> Sequence[Revision]:
        """Every revision of a template, latest first."""
        table = schema.template_revision
        with reading(self._engine) as connection:
            number = self._get(connection, ref).number
            query = select(table).where(table.c.template == number)
            rows = connection.execute(query.order_by(table.c.revision.desc())).mappings()
            return [
                Revision(
                    revision=row["revision"],
                    at_ms=row["at_ms"],
                    actor=row["actor"],
                    action=row["action"],
                    definition=_decode(row["definition"]),
                )
                for row in rows
            ]

    def counts(self) -> dict[int, int]:
        """How many identifiers stand behind each template, by its number."""
        table = schema.identifier
        query = select(table.c.template, func.count()).group_by(table.c.template)
        with reading(self._engine) as connection:
            return {int(number): int(count) for number, count in connection.execute(query)}

    def checker(self, connection: Connection, ref: TemplateRef) -> Checker:
        """The compiled template, fresh as of ``connection``'s transaction."""
        return self._compiled(self._get(connection, ref))

    def checker_of(self, connection: Connection, number: int) -> Checker:
        """The compiled template with this number."""
        table = schema.template
        row = connection.execute(select(table).where(table.c.number == number)).mappings().first()
        if row is None:
            raise NotFound("enterprise.template-unknown", template=number)
        return self._compiled(_template(row))

    def _compiled(self, template: Template) -> Checker:
        known = self._checkers.get(template.number)
        if known is None or known.template != template:
            known = self._checkers[template.number] = Checker(template)
        return known

    @staticmethod
    def _get(connection: Connection, ref: TemplateRef) -> Template:
        table = schema.template
        if ref.handle:
            query = select(table).where(table.c.handle_key == fold(ref.handle))
        else:
            query = select(table).where(table.c.version == ref.version)
            if ref.prefix:
                query = query.where(table.c.prefix == ref.prefix)
        rows = connection.execute(query.limit(2)).mappings().all()
        if len(rows) != 1:
            raise NotFound("enterprise.template-unknown", template=str(ref))
        return _template(rows[0])


def readers_differ(old: Template, new: Template) -> bool:
    """Whether some item's readers changed, so that stored records must be written again."""
    before = {item.index: item.restricted for item in old.definition.items}
    after = {item.index: item.restricted for item in new.definition.items}
    return before != after


def completed(definition: TemplateDef, old: Template | None) -> TemplateDef:
    """The definition with a handle and all indexes; raises ``enterprise.template-bad``."""
    label = f"{definition.prefix} {definition.version}"
    handle = definition.handle or f"{definition.prefix}/META_{definition.version}"
    try:
        name = parse(handle)
        if fold(name.prefix) != fold(definition.prefix):
            raise _bad(label, f"its handle {handle} lies under another prefix")
        items = _numbered(definition.items, old.definition.items if old else ())
        for item in items:
            _check_item(label, item)
    except MingwuError as error:
        if error.code == "enterprise.template-bad":
            raise
        raise _bad(label, str(error)) from error
    if not items:
        raise _bad(label, "it has no items")
    if len({item.type for item in items}) != len(items):
        raise _bad(label, "an item type stands twice")
    if len({item.index for item in items}) != len(items):
        raise _bad(label, "an index stands twice")
    if old is not None:
        _check_kept(label, old.definition.items, items)
    return msgspec.structs.replace(definition, handle=handle, items=items)


def _numbered(items: Sequence[Item], old: Sequence[Item]) -> tuple[Item, ...]:
    known = {item.type: item.index for item in old}
    used = {item.index for item in items if item.index} | set(known.values())
    following = max(used, default=FIRST_INDEX - 1)
    found = []
    for item in items:
        index = item.index or known.get(item.type, 0)
        if not index:
            following = index = following + 1
        found.append(msgspec.structs.replace(item, index=index))
    return tuple(sorted(found, key=lambda item: item.index))


def _check_item(label: str, item: Item) -> None:
    fault = ""
    if not FIRST_INDEX <= item.index <= LAST_INDEX:
        fault = f"indexes go from {FIRST_INDEX} to {LAST_INDEX}"
    elif item.type.upper().startswith(_FORBIDDEN_TYPES) or item.type.endswith("."):
        fault = "this type is kept for the name service"
    elif item.min_length > item.max_length:
        fault = "the least length is above the greatest"
    elif item.low is not None and item.high is not None and item.low > item.high:
        fault = "the low limit is above the high one"
    if item.data_type is DataType.DATE:
        date_pattern(item.date_format)
    if fault:
        raise _bad(label, f"item {item.type}: {fault}")


def _check_kept(label: str, old: Sequence[Item], new: Sequence[Item]) -> None:
    by_type = {item.type: item for item in new}
    for item in old:
        now = by_type.get(item.type)
        if now is None:
            raise _bad(label, f"item {item.type} cannot be removed, only disabled")
        if now.index != item.index:
            raise _bad(label, f"item {item.type} has index {item.index} for good")


def _bad(label: str, fault: str) -> InvalidInput:
    return InvalidInput("enterprise.template-bad", template=label, fault=fault)


def _row(template: Template) -> dict[str, Any]:
    definition = template.definition
    return {
        "number": template.number,
        "prefix": definition.prefix,
        "version": definition.version,
        "handle_key": fold(definition.handle),
        "state": template.state.value,
        "revision": template.revision,
        "name_zh": definition.name_zh,
        "name_en": definition.name_en,
        "classify": definition.classify,
        "definition": _encode(definition).decode(),
        "created_by": template.created_by,
        "created_at_ms": template.created_at_ms,
        "changed_at_ms": template.changed_at_ms,
    }


def _template(row: Any) -> Template:
    return Template(
        number=row["number"],
        state=TemplateState(row["state"]),
        revision=row["revision"],
        created_by=row["created_by"],
        created_at_ms=row["created_at_ms"],
        changed_at_ms=row["changed_at_ms"],
        definition=_decode(row["definition"]),
    )
