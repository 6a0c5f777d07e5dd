"""Carriers registered as everything else is: by the enterprise node, through the second-level node.

=================================  ===============================================================
the carrier's prefix is            its identifier is registered by
=================================  ===============================================================
hosted by the second-level node    that node: tenant's quota and code rule hold, the change is a
                                   row for table T9
this enterprise's own              the enterprise node: template, history, owner; where the
                                   second-level node above runs here too, the change is told there
                                   (T9) and the name is filed (备案) with the row's number
=================================  ===============================================================

Both act in the name of an application identity (``<prefix>/App_carriers``) that an administrator
can disable. Every call first looks at what is there, so repeating it after a crash changes nothing.
"""

import logging
from collections.abc import Mapping

import msgspec

from mingwu.identity.carriers import carriertemplate
from mingwu.identity.carriers.registrar import SIMULATED_TYPE, RecordRegistrar
from mingwu.identity.enterprise.lifecycle import AWAITING_FILING, RESOLVABLE
from mingwu.identity.enterprise.model import (
    Actor,
    Identifier,
    ItemResult,
    Registration,
    TemplateRef,
)
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.secondlevel.hosted import ADDED, DELETED, MODIFIED
from mingwu.identity.secondlevel.model import HostedItem, ItemOutcome, Mode
from mingwu.identity.secondlevel.prefixes import ACTIVE
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.kernel.errors import Conflict, Denied, InvalidInput, NotFound
from mingwu.kernel.names import fold, parse

log = logging.getLogger(__name__)

LOGIN = "carriers"


class EnterpriseRegistrar:
    """The enterprise node's; ``above`` is the second-level node where it runs here, too."""

    def __init__(
        self, node: EnterpriseNode, records: RecordRegistrar, above: SecondLevel | None
    ) -> None:
        self._node, self._records, self._above = node, records, above

    def register(self, name: str, serial: str, values: Mapping[str, str]) -> None:
        """See the contract. Other faults: Conflict with the enterprise node's code."""
        prefix = parse(name).prefix
        actor = self._actor(prefix)
        known = self._known(name)
        if known is not None and _value(known, carriertemplate.SERIAL) != serial:
            raise Conflict("carriers.name-taken", name=name)
        if known is None or known.row.state not in RESOLVABLE:
            item = Registration(
                name=name, template=self._template(prefix),
                values=carriertemplate.item_values(serial, values),
            )  # fmt: skip
            _good(self._node.registrations.register([item], actor=actor, note=serial))
        if values.get(SIMULATED_TYPE) == "true":
            self._records.mark_simulated(name)
        self._file(name, actor, ADDED)

    def note_state(self, name: str, state: str) -> None:
        known = self._known(name)
        if known is None or known.row.state not in RESOLVABLE:
            return  # deregistered meanwhile: there is no record to show it in
        actor = self._actor(known.row.prefix)
        if _value(known, carriertemplate.STATE) != state:
            change = Registration(
                name=name, template=TemplateRef(), values={carriertemplate.STATE: state}
            )
            _good(self._node.registrations.change([change], actor=actor, merge=True, note=state))
        self._file(name, actor, MODIFIED)

    def deregister(self, name: str) -> None:
        known = self._known(name)
        if known is None:
            return
        actor = self._actor(known.row.prefix)
        if known.row.state in RESOLVABLE:
            _good(self._node.registrations.deregister([name], actor=actor))
        self._tell_above(known, DELETED)

    def _known(self, name: str) -> Identifier | None:
        try:
            return self._node.register.get(name)
        except NotFound:
            return None

    def _file(self, name: str, actor: Actor, how: int) -> None:
        """Tell the node above what stands there now, and note its receipt."""
        known = self._node.register.get(name)
        if known.row.state not in AWAITING_FILING:
            return
        receipt = self._tell_above(known, how)
        if receipt:
            _good(self._node.registrations.file([name], actor=actor, note=receipt))

    def _tell_above(self, known: Identifier, how: int) -> str:
        prefix = known.row.prefix
        if self._above is None or not _is_under(self._above, prefix):
            return ""  # filed by hand, or by whoever carries the filing queue to the node above
        content = {value.type: value.value for value in known.values}
        number = self._above.hosted.log_once(
            known.row.name, prefix, how, carriertemplate.handle(prefix), content
        )
        return f"T9 {number}"

    def _actor(self, prefix: str) -> Actor:
        """The application identity; made at first use, its secret thrown away."""
        name = f"{prefix}/App_carriers"
        applications = self._node.applications
        try:
            known = applications.get(name)
        except NotFound:
            login = f"{LOGIN}-{prefix}"
            try:
                applications.create(
                    name, login=login, account=LOGIN, title="主动标识载体 / carriers"
                )
            except Conflict:  # another process was faster
                log.info("application identity there already name=%s", name)
            known = applications.get(name)
        if not known.enabled:
            raise Denied("carriers.registration-off", application=name)
        return Actor(name=name, account=known.account)

    def _template(self, prefix: str) -> TemplateRef:
        ref = TemplateRef(prefix=prefix, version=carriertemplate.VERSION)
        try:
            self._node.templates.get(ref)
        except NotFound:
            try:
                made = carriertemplate.template(prefix)
                self._node.templates.create(made, actor=LOGIN, publish=True)
            except Conflict:  # another process was faster
                log.info("carrier template there already prefix=%s", prefix)
            if self._above is not None and _is_under(self._above, prefix):
                _keep_template(self._above, prefix)
        return ref


class HostedRegistrar:
    """The second-level node's, for tenants whose prefix it hosts."""

    def __init__(self, node: SecondLevel) -> None:
        self._node = node

    def hosts(self, prefix: str) -> bool:
        """Whether this node hosts the prefix now."""
        try:
            row = self._node.prefixes.get(prefix)
        except NotFound:
            return False
        return row.state == ACTIVE and row.mode is Mode.HOSTED

    def register(self, name: str, serial: str, values: Mapping[str, str]) -> None:
        """See the contract. Other faults: Conflict with the second-level node's code."""
        prefix = parse(name).prefix
        if not self._is_there(name, serial):
            _keep_template(self._node, prefix)
            given = carriertemplate.item_values(serial, values)
            if SIMULATED_TYPE in values:
                given[SIMULATED_TYPE] = values[SIMULATED_TYPE]
            item = self._item(name, given)
            (outcome,) = self._node.hosted.register(prefix, [item])
            if outcome.error and not self._is_there(name, serial):
                raise _fault(outcome)

    def note_state(self, name: str, state: str) -> None:
        known = self._node.lookup.get(name)
        if known is None or known["values"].get(carriertemplate.STATE) == state:
            return
        item = self._item(name, known["values"] | {carriertemplate.STATE: state})
        (outcome,) = self._node.hosted.change(known["prefix"], [item])
        if outcome.error:
            raise _fault(outcome)

    def deregister(self, name: str) -> None:
        known = self._node.lookup.get(name)
        if known is None:
            return
        (outcome,) = self._node.hosted.remove(known["prefix"], [known["name"]])
        if outcome.error and self._node.lookup.get(name) is not None:
            raise _fault(outcome)

    def _is_there(self, name: str, serial: str) -> bool:
        known = self._node.lookup.get(name)
        if known is not None and known["values"].get(carriertemplate.SERIAL) != serial:
            raise Conflict("carriers.name-taken", name=name)
        return known is not None

    def _item(self, name: str, values: Mapping[str, str]) -> HostedItem:
        template = carriertemplate.handle(parse(name).prefix)
        return HostedItem(name=name, template=template, values=values)


class NodeRegistrar:
    """Chooses by the prefix, at each call: a prefix may become hosted, or leave."""

    def __init__(
        self,
        *,
        records: RecordRegistrar,
        enterprise: EnterpriseNode | None = None,
        secondlevel: SecondLevel | None = None,
    ) -> None:
        self._records = records
        self._hosted = HostedRegistrar(secondlevel) if secondlevel is not None else None
        self._own: EnterpriseRegistrar | None = None
        self._prefixes: frozenset[str] = frozenset()
        if enterprise is not None:
            self._own = EnterpriseRegistrar(enterprise, records, secondlevel)
            self._prefixes = frozenset(map(fold, enterprise.settings.prefixes))

    def register(self, name: str, serial: str, values: Mapping[str, str]) -> None:
        self._of(name).register(name, serial, values)

    def note_state(self, name: str, state: str) -> None:
        self._of(name).note_state(name, state)

    def deregister(self, name: str) -> None:
        self._of(name).deregister(name)

    def is_registered(self, name: str) -> bool:
        return self._records.is_registered(name)

    def _of(self, name: str) -> EnterpriseRegistrar | HostedRegistrar | RecordRegistrar:
        prefix = parse(name).prefix
        if self._hosted is not None and self._hosted.hosts(prefix):
            return self._hosted
        if self._own is not None and fold(prefix) in self._prefixes:
            return self._own
        if self._own is None and self._hosted is None:
            return self._records
        raise InvalidInput("carriers.prefix-elsewhere", prefix=prefix)


def _is_under(node: SecondLevel, prefix: str) -> bool:
    """Whether the second-level node answers for this prefix toward the top node."""
    if fold(prefix) == fold(node.settings.prefix):
        return True
    try:
        return node.prefixes.get(prefix).state == ACTIVE
    except NotFound:
        return False


def _keep_template(node: SecondLevel, prefix: str) -> None:
    """Let tables T4 and T11 show the carriers' template."""
    name = carriertemplate.handle(prefix)
    if all(row["handle"] != name for row in node.templates()):
        node.put_template(name, prefix, msgspec.to_builtins(carriertemplate.template(prefix)))


def _value(known: Identifier, kind: str) -> str:
    return next((value.value for value in known.values if value.type == kind), "")


def _good(results: list[ItemResult]) -> None:
    for result in results:
        if result.fault is not None:
            raise Conflict(result.fault.code, **result.fault.params)


def _fault(outcome: ItemOutcome) -> Conflict:
    return Conflict(outcome.error, **outcome.params)
