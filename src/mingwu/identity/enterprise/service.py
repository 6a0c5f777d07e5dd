"""The enterprise node as one thing: templates, register, grants, applications over one store.

Synchronous (call it through ``asyncio.to_thread``), usable from several threads and processes at
once. Opening it repairs what a kill -9 may have left between the relational commit and the record
store, so nothing acknowledged is ever missing from resolution for longer than a restart.
"""

import time
from collections.abc import Callable
from typing import Self

from sqlalchemy import Engine

from mingwu.identity.enterprise import errors as _texts  # noqa: F401 — registers the texts
from mingwu.identity.enterprise import migrations
from mingwu.identity.enterprise.filing import FilingQueue
from mingwu.identity.enterprise.granting.applications import Applications
from mingwu.identity.enterprise.granting.explaining import AccessDesk
from mingwu.identity.enterprise.granting.grants import Grants, names_of
from mingwu.identity.enterprise.granting.readings import reading_items
from mingwu.identity.enterprise.lifecycle import State
from mingwu.identity.enterprise.mappings import Mappings
from mingwu.identity.enterprise.model import (
    Actor,
    Identifier,
    IdentifierRow,
    Template,
    TemplateDef,
    TemplateRef,
)
from mingwu.identity.enterprise.projecting import Projector
from mingwu.identity.enterprise.queries import Register
from mingwu.identity.enterprise.registering import Registrations
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.enterprise.templates.industry import Industries
from mingwu.identity.enterprise.templates.keeping import Templates
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import NotFound
from mingwu.kernel.names import fold
from mingwu.store.engine import open_engine, writing
from mingwu.store.migrate import migrate
from mingwu.wire.handle.values import Reference

COMPONENT = "identity.enterprise"


class EnterpriseNode:
    """See the module. ``EnterpriseNode.open(settings, store)`` is the way in."""

    def __init__(
        self,
        engine: Engine,
        store: RecordStore,
        settings: EnterpriseSettings,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.settings = settings
        self.store = store
        # Readings that the carriers of this node do not publish; the host says which.
        self.unpublished: tuple[str, ...] = ()
        self.engine = engine
        self.industries = Industries(engine)
        self.templates = Templates(engine, settings.prefixes, now_ms)
        self.grants = Grants(engine, now_ms)
        self.access = AccessDesk(engine, self.grants, store)
        self.projector = Projector(engine, store, self.templates)
        self.register = Register(engine, self.templates)
        self.registrations = Registrations(
            engine,
            self.templates,
            self.grants,
            self.projector,
            prefixes=settings.prefixes,
            batch_items=settings.batch_items,
            now_ms=now_ms,
        )
        self.filing = FilingQueue(
            engine, self.registrations, batch_items=settings.batch_items, now_ms=now_ms
        )
        self.mappings = Mappings(engine, now_ms)
        self.applications = Applications(engine, challenge_s=settings.challenge_s, now_ms=now_ms)
        self.now_ms = now_ms

    @classmethod
    def open(cls, settings: EnterpriseSettings, store: RecordStore) -> Self:
        """Open the relational store, bring its tables up to date and catch the records up.

        ``settings.store.url`` must be given by the caller. Errors as ``Registry.open``.
        """
        engine = open_engine(settings.store)
        migrate(engine, COMPONENT, migrations)
        node = cls(engine, store, settings)
        node.industries.fill()
        node.recover()
        node.projector.catch_up_open()
        return node

    def close(self) -> None:
        """Give the connections back; the record store is the caller's."""
        self.engine.dispose()

    def recover(self) -> int:
        """Project what was committed but not projected; returns how many records were written."""
        return self.projector.catch_up() + self.projector.catch_up_templates()

    def change_template(
        self, ref: TemplateRef, definition: TemplateDef, *, actor: str, base: int = 0
    ) -> Template:
        """Change a template; when its readers changed, its identifiers' records follow at once.

        ``base`` and errors as :meth:`Templates.change`.
        """
        template = self.templates.change(ref, definition, actor=actor, base=base)
        self.projector.catch_up_templates()
        return template

    def set_access(self, name: str, *, own: bool, is_public: bool = False) -> None:
        """Give an identifier access of its own (``is_public``: everybody may read), or not.

        Its record follows. Closed is the record first and opened last, so that a crash in between
        never leaves it open without anybody's order; :meth:`open` opens what was left closed.
        """
        with writing(self.engine) as connection:
            self.grants.set_own_access(connection, name, own=own, is_public=is_public)
            if not is_public:
                self.projector.renew(connection, name)
        if is_public:
            self.projector.refresh([name])

    def current(self, name: str) -> Identifier:
        """An identifier that is not deregistered; NotFound ``enterprise.name-unknown``."""
        identifier = self.register.get(name)
        if identifier.row.state is State.DEREGISTERED:
            raise NotFound("enterprise.name-unknown", name=name[:255])
        return identifier

    # -- who may read -------------------------------------------------------------------------

    def readable(self, name: str, askers: tuple[str, ...]) -> frozenset[int]:
        """Indexes of restricted values of ``name`` granted to somebody known by ``askers``."""
        try:
            template = self.register.template_of(name)
        except NotFound:
            return frozenset()
        return self.grants.readable(name, template, askers, reading_items(self.store, name))

    def readable_by(self, name: str, who: Reference) -> frozenset[int]:
        """The same for a handle identity; the resolver's hook beside HS_ADMIN rights."""
        return self.readable(name, names_of(who))

    def visible(self, identifier: Identifier, template: Template, actor: Actor) -> frozenset[int]:
        """Indexes of an identifier's values that ``actor`` may see."""
        shown = frozenset(value.index for value in identifier.values)
        return shown - self.hidden(identifier.row, template, actor)

    def hidden(self, row: IdentifierRow, template: Template, actor: Actor) -> frozenset[int]:
        """Indexes of a template's items that ``actor`` may not see of this identifier."""
        restricted = frozenset(item.index for item in template.definition.items if item.restricted)
        if not restricted or actor.may_all or fold(row.owner) in actor.names:
            return frozenset()
        return restricted - self.grants.readable(row.name, template, actor.names)
