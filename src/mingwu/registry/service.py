"""The registry: what is named in the plant, where it stands, how its tags are acquired.

A :class:`Registry` is synchronous (call it through ``asyncio.to_thread``), may be used from
several threads and processes at once, and answers every question from one snapshot. Changes come
in as checked plant declarations only; ``generation`` moves with every change that mattered, so
that gateways, projections and consoles know when to ask again.
"""

import time
from collections.abc import Callable
from typing import Any, Self, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, func, select

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import NotFound
from mingwu.kernel.names import fold
from mingwu.kernel.plant import GatewaySpec, ThingCard
from mingwu.registry import importing, migrations, queries, schema, spreadsheet, views
from mingwu.registry.check import check
from mingwu.registry.exporting import export
from mingwu.registry.importing import ImportSummary
from mingwu.registry.model import PlantFile, TypeDef
from mingwu.registry.places import tree
from mingwu.registry.plantfile import validated
from mingwu.registry.rows import (
    MAX_PAGE,
    ChangeRow,
    Filter,
    GatewayRow,
    Page,
    PlaceNode,
    PlantRow,
    RelationEdge,
    RelationRow,
    TagRow,
    ThingRow,
)
from mingwu.registry.schema import ACTIVE
from mingwu.registry.settings import RegistrySettings
from mingwu.registry.wot import thing_description, thing_model
from mingwu.store.engine import lock, open_engine, reading, writing
from mingwu.store.migrate import migrate

R = TypeVar("R")

ALL = Filter()
FIRST_PAGE = Page()


class Registry:
    """See the module. ``Registry.open(settings)`` migrates the store and is the way in."""

    def __init__(
        self,
        engine: Engine,
        *,
        api_base: str = "",
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._engine = engine
        self._api_base = api_base
        self._now_ms = now_ms

    @classmethod
    def open(cls, settings: RegistrySettings) -> Self:
        """Open the store and bring its tables up to date.

        Raises ConfigError for a bad address, Unavailable when the database is not there, Conflict
        when a newer program wrote it.
        """
        engine = open_engine(settings.store)
        migrate(engine, "registry", migrations)
        return cls(engine, api_base=settings.api_base)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    # ------------------------------------------------------------ changing

    def import_plant(self, file: PlantFile, *, actor: str = "") -> ImportSummary:
        """Make ``file`` the truth for the plant it names; returns what changed.

        Raises PlantFaults for a file with faults and Conflict ``registry.owned`` for a name that
        another plant owns; nothing is stored then.
        """
        file = validated(file)
        with writing(self._engine) as connection:
            lock(connection, "registry")
            return self._import(connection, file, actor)

    def import_things_csv(self, plant: str, data: bytes, *, actor: str = "") -> ImportSummary:
        """Change or add the things of a table (``registry.spreadsheet``); the others stay.

        Raises PlantFaults naming line and column, NotFound for an unknown plant.
        """
        return self._edit(plant, lambda file: spreadsheet.edit_things(file, data), actor)

    def import_tags_csv(self, plant: str, data: bytes, *, actor: str = "") -> ImportSummary:
        """Change or add the tags of a table; errors as :meth:`import_things_csv`."""
        return self._edit(plant, lambda file: spreadsheet.edit_tags(file, data), actor)

    def _edit(
        self, plant: str, edit: Callable[[PlantFile], PlantFile], actor: str
    ) -> ImportSummary:
        with writing(self._engine) as connection:
            lock(connection, "registry")
            return self._import(connection, edit(export(connection, plant)), actor)

    def _import(self, connection: Connection, file: PlantFile, actor: str) -> ImportSummary:
        elsewhere = select(schema.thing.c.key).where(
            schema.thing.c.plant != file.name, schema.thing.c.state == ACTIVE
        )
        known = frozenset(connection.execute(elsewhere).scalars())
        plant = check(file, known=known)
        return importing.apply(connection, plant, actor=actor, now_ms=self._now_ms())

    def export_plant(self, name: str) -> PlantFile:
        """The declarations of a plant as they stand; NotFound for an unknown plant."""
        with reading(self._engine) as connection:
            return export(connection, name)

    def export_things_csv(self, wanted: Filter = ALL) -> bytes:
        """The matching things as a table for spreadsheets (UTF-8 with BOM)."""
        return spreadsheet.things_csv(self.all_things(wanted))

    def export_tags_csv(self, wanted: Filter = ALL) -> bytes:
        """The matching tags as a table for spreadsheets (UTF-8 with BOM)."""
        return spreadsheet.tags_csv(self.all_tags(wanted))

    # ------------------------------------------------------------ asking

    def generation(self) -> int:
        """Moves with every change; cheap enough to ask once a second."""
        with reading(self._engine) as connection:
            return importing.count(connection, "generation", 0)

    def plants(self) -> list[PlantRow]:
        """The plants known, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(schema.plant).order_by("name")).mappings()
            return queries.structs(PlantRow, rows)

    def things(self, wanted: Filter = ALL, page: Page = FIRST_PAGE) -> tuple[list[ThingRow], int]:
        """A page of things, and how many match in all."""
        with reading(self._engine) as connection:
            return queries.thing_rows(connection, wanted, page)

    def thing(self, name: str) -> ThingRow:
        """One thing, active or retired; NotFound ``name.unknown``."""
        rows, _ = self.things(Filter(thing=name, retired=True), Page(limit=1))
        if not rows:
            raise NotFound("name.unknown", name=name)
        return rows[0]

    def tags(self, wanted: Filter = ALL, page: Page = FIRST_PAGE) -> tuple[list[TagRow], int]:
        """A page of tags, and how many match in all."""
        with reading(self._engine) as connection:
            return queries.tag_rows(connection, wanted, page)

    def all_tags(self, wanted: Filter = ALL) -> list[TagRow]:
        """Every matching tag (for caches and exports), read page by page from one snapshot."""
        with reading(self._engine) as connection:
            return _every(lambda page: queries.tag_rows(connection, wanted, page))

    def all_things(self, wanted: Filter = ALL) -> list[ThingRow]:
        """Every matching thing, read page by page from one snapshot."""
        with reading(self._engine) as connection:
            return _every(lambda page: queries.thing_rows(connection, wanted, page))

    def all_relations(self) -> list[RelationEdge]:
        """Every relation between active things, in file order."""
        with reading(self._engine) as connection:
            return views.edges(connection)

    def places(self) -> list[PlaceNode]:
        """The hierarchy with counts, roots first, in file order."""
        with reading(self._engine) as connection:
            return tree(connection)

    def relations(self, name: str) -> list[RelationRow]:
        """What the thing has to do with others, both directions; NotFound for an unknown thing."""
        self.thing(name)
        with reading(self._engine) as connection:
            return views.relations(connection, fold(name))

    def gateways(self) -> list[GatewayRow]:
        """The gateways, with how many devices and tags each serves."""
        with reading(self._engine) as connection:
            return views.gateways(connection)

    def nanosecond_tags(self) -> frozenset[int]:
        """Numbers of the tags whose times the history keeps to the nanosecond."""
        query = select(schema.tag.c.number).where(schema.tag.c.nanoseconds)
        with reading(self._engine) as connection:
            return frozenset(connection.execute(query).scalars())

    def gateway(self, name: str) -> GatewaySpec:
        """Everything the gateway ``name`` needs to run; NotFound for an unknown gateway."""
        with reading(self._engine) as connection:
            return views.gateway_spec(connection, name)

    def card(self, name: str) -> ThingCard:
        """What the resolver needs to answer for one active thing; NotFound ``name.unknown``."""
        with reading(self._engine) as connection:
            cards = views.cards(connection, fold(name))
        if not cards:
            raise NotFound("name.unknown", name=name)
        return cards[0]

    def cards(self) -> list[ThingCard]:
        """The cards of all active things, in file order."""
        with reading(self._engine) as connection:
            return views.cards(connection)

    def types(self) -> list[TypeDef]:
        """The thing types, in file order."""
        table = schema.thing_type
        query = select(table.c.declaration).order_by(table.c.plant, table.c.position)
        with reading(self._engine) as connection:
            rows = connection.execute(query).scalars()
            return [msgspec.json.decode(row, type=TypeDef) for row in rows]

    def type(self, name: str) -> TypeDef:
        """One thing type; NotFound for an unknown name."""
        table = schema.thing_type
        with reading(self._engine) as connection:
            query = select(table.c.declaration).where(table.c.name == name)
            declaration = connection.execute(query).scalar_one_or_none()
        if declaration is None:
            raise NotFound("registry.unknown", what=Phrase("type", "类型"), name=name)
        return msgspec.json.decode(declaration, type=TypeDef)

    def thing_model(self, name: str) -> dict[str, Any]:
        """The W3C WoT Thing Model of a type."""
        return thing_model(self.type(name))

    def thing_description(self, name: str, *, base: str = "") -> dict[str, Any]:
        """The W3C WoT Thing Description of a thing; ``base`` as in RegistrySettings.api_base."""
        thing = self.thing(name)
        tags = self.all_tags(Filter(thing=name))
        return thing_description(thing, tags, self.relations(name), base=base or self._api_base)

    def history(self, name: str, *, limit: int = 100) -> list[ChangeRow]:
        """The latest changes of a thing or type, newest first."""
        table = schema.change
        query = select(table).where(func.upper(table.c.name) == name.upper())
        query = query.order_by(table.c.number.desc()).limit(limit)
        with reading(self._engine) as connection:
            return queries.structs(ChangeRow, connection.execute(query).mappings())


def _every(read: Callable[[Page], tuple[list[R], int]]) -> list[R]:
    found: list[R] = []
    while True:
        rows, total = read(Page(offset=len(found), limit=MAX_PAGE))
        found += rows
        if not rows or len(found) >= total:
            return found
