"""The data templates of a store: create, change, publish, withdraw, delete, with every revision.

A change may name the revision it is based on; one that somebody else has overtaken is refused and
nothing is lost. What a definition must be is judged by ``templaterules``. All methods block (SQL).
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.model import (
    Revision,
    Template,
    TemplateDef,
    TemplateRef,
    TemplateState,
)
from mingwu.identity.enterprise.templates import industry
from mingwu.identity.enterprise.templates.rules import completed
from mingwu.identity.enterprise.templates.uniques import follow
from mingwu.identity.enterprise.validation import Checker
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Conflict, InvalidInput, NotFound
from mingwu.kernel.names import fold
from mingwu.kernel.plant import Kind
from mingwu.store.engine import lock, reading, writing

LOCK = "enterprise"
_DELETABLE = {TemplateState.DRAFT, TemplateState.WITHDRAWN}
MAX_PAGE = 1000
_UNNAMED = Phrase("(none is named)", "（未指定）")
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(TemplateDef).decode


class TemplateSearch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which templates; ``industry`` is a code of any level of GB/T 4754."""

    text: str = ""
    kind: Kind | None = None
    state: TemplateState | None = None
    classify: str = ""
    prefix: str = ""
    industry: str = ""
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = MAX_PAGE


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

    def change(
        self, ref: TemplateRef, definition: TemplateDef, *, actor: str, base: int = 0
    ) -> Template:
        """Give a template another definition; prefix, version and handle stay.

        ``base`` is the revision it was made from (0: any); Conflict ``enterprise.template-changed``
        when that is not the current one. Returns the new revision. The caller projects the
        identifiers again when what may be read has changed (:func:`readers_differ`).
        """
        with writing(self._engine) as connection:
            lock(connection, LOCK)
            old = self._get(connection, ref)
            self._refuse_stale(connection, old, base)
            kept = {name: getattr(old.definition, name) for name in ("prefix", "version", "handle")}
            definition = completed(msgspec.structs.replace(definition, **kept), old)
            industry.check(connection, definition.industry)
            template = msgspec.structs.replace(
                old, definition=definition, changed_at_ms=self._now_ms()
            )
            if readers_differ(old, template):
                self._ask_reprojection(connection, template.number)
            follow(connection, template.number, old.definition, definition)
            return self._revised(connection, template, actor, "change")

    def set_published(
        self, ref: TemplateRef, *, published: bool, actor: str, base: int = 0
    ) -> Template:
        """Publish or withdraw; names registered before are not touched by a withdrawal.

        ``base`` as in :meth:`change`.
        """
        state = TemplateState.PUBLISHED if published else TemplateState.WITHDRAWN
        with writing(self._engine) as connection:
            lock(connection, LOCK)
            old = self._get(connection, ref)
            self._refuse_stale(connection, old, base)
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
                fault = Phrase("identifiers are registered with it", "已有标识按其注册")
            elif template.state not in _DELETABLE and not even_published:
                fault = Phrase("it is published", "已发布")
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
    def _refuse_stale(connection: Connection, template: Template, base: int) -> None:
        if base in {0, template.revision}:
            return
        log = schema.template_revision
        query = select(log.c.actor).where(log.c.template == template.number)
        query = query.where(log.c.revision == template.revision)
        actor = connection.execute(query).scalar_one()
        raise Conflict(
            "enterprise.template-changed",
            template=template.label, base=base, found=template.revision, actor=actor,
        )  # fmt: skip

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

    def search(self, search: TemplateSearch) -> tuple[Sequence[Template], int]:
        """A page of templates, latest change first, and how many match.

        A node has as many templates as it has classes of things: kind and industry are read from
        the definitions.
        """
        table = schema.template
        query = select(table).order_by(table.c.changed_at_ms.desc(), table.c.number.desc())
        query = query.where(*_terms(search))
        with reading(self._engine) as connection:
            rows = [_template(row) for row in connection.execute(query).mappings()]
        found = [one for one in rows if _fits(one.definition, search)]
        return found[search.offset : search.offset + search.limit], len(found)

    def revisions(
        self, ref: TemplateRef, *, offset: int = 0, limit: int = 1000
    ) -> Sequence[Revision]:
        """A template's revisions, latest first."""
        table = schema.template_revision
        with reading(self._engine) as connection:
            number = self._get(connection, ref).number
            query = select(table).where(table.c.template == number)
            query = query.order_by(table.c.revision.desc()).offset(offset).limit(limit)
            return [_revision(row) for row in connection.execute(query).mappings()]

    def revision(self, ref: TemplateRef, revision: int) -> Revision:
        """One revision; NotFound ``enterprise.revision-unknown``."""
        table = schema.template_revision
        with reading(self._engine) as connection:
            template = self._get(connection, ref)
            query = select(table).where(table.c.template == template.number)
            query = query.where(table.c.revision == revision)
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound(
                "enterprise.revision-unknown",
                template=template.label, revision=revision, latest=template.revision,
            )  # fmt: skip
        return _revision(row)

    def counts(self) -> dict[int, int]:
        """How many identifiers stand behind each template, by its number."""
        table = schema.identifier
        query = select(table.c.template, func.count()).group_by(table.c.template)
        with reading(self._engine) as connection:
            return {int(number): int(count) for number, count in connection.execute(query)}

    def names(self, number: int) -> int:
        """How many identifiers stand behind one template."""
        table = schema.identifier
        query = select(func.count()).select_from(table).where(table.c.template == number)
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def states(self) -> dict[str, int]:
        """How many templates stand in each state."""
        table = schema.template
        query = select(table.c.state, func.count()).group_by(table.c.state)
        with reading(self._engine) as connection:
            return {str(state): int(count) for state, count in connection.execute(query)}

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
            raise NotFound("enterprise.template-unknown", template=str(ref) or _UNNAMED)
        return _template(rows[0])


def readers_differ(old: Template, new: Template) -> bool:
    """Whether some item's readers changed, so that stored records must be written again."""
    before = {item.index: item.restricted for item in old.definition.items}
    after = {item.index: item.restricted for item in new.definition.items}
    return before != after


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


def _revision(row: Any) -> Revision:
    return Revision(
        revision=row["revision"],
        at_ms=row["at_ms"],
        actor=row["actor"],
        action=row["action"],
        definition=_decode(row["definition"]),
    )


def _terms(search: TemplateSearch) -> list[ColumnElement[bool]]:
    table = schema.template
    columns = (table.c.version, table.c.name_zh, table.c.name_en, table.c.handle_key)
    terms = [
        or_(*(column.icontains(word, autoescape=True) for column in columns))
        for word in search.text.split()
    ]
    equal = (
        (table.c.state, search.state and search.state.value),
        (table.c.classify, search.classify),
        (table.c.prefix, search.prefix),
    )
    return terms + [column == value for column, value in equal if value]


def _fits(definition: TemplateDef, search: TemplateSearch) -> bool:
    industry = definition.industry
    codes = (industry.category, industry.division, industry.group, industry.class_)
    return (search.kind is None or definition.kind is search.kind) and (
        not search.industry or search.industry in codes
    )
