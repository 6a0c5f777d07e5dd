"""The simulated top node's register of prefixes, behind its EPP service.

Every change is one line of a journal, written before the answer goes out; the answer to a change is
kept with it, so that the same command (same node, clTRID and content) sent again gets the same
answer and changes nothing. Passing a prefix on may wait for a decision; what was decided later and
other news wait in a queue per node until acknowledged (RFC 5730 sections 2.9.2.3, 2.9.3.4).
"""

import hashlib
import secrets
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from mingwu.identity.secondlevel.epp.messages import NAMES, Command, Result, write_command
from mingwu.identity.secondlevel.epp.reply import Response, Waiting, respond
from mingwu.lab.topnode.journal import append, lines
from mingwu.lab.topnode.settings import KnownNode

_MOST_REPLIES = 10_000
_TRANSFER = NAMES["transfer"]
_CHANGES = frozenset({"create", "update", "delete", "transfer"})
_OPS = frozenset({"request", "query", "cancel"})


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a node's queue."""

    id: str
    at: str
    text: str
    prefix: str = ""
    fields: dict[str, str] = {}


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A passing on that waits for a decision: the fields that will hold, and since when."""

    app: str
    fields: dict[str, str]
    since_s: float


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change: prefixes with their fields (None takes away), and what goes with it."""

    held: dict[str, dict[str, str] | None] = {}
    pending: dict[str, Pending | None] = {}
    queued: dict[str, Message] = {}
    acknowledged: dict[str, str] = {}
    key: str = ""
    response: Response | None = None


class Registry:
    """``registered[prefix]`` holds a prefix's fields. All methods are short and synchronous."""

    def __init__(self, directory: Path | None = None, *, review_s: float = 0) -> None:
        self.registered: dict[str, dict[str, str]] = {}
        self.pending: dict[str, Pending] = {}
        self.changes = 0
        self._review_s = review_s
        self._queues: dict[str, OrderedDict[str, Message]] = {}
        self._replies: OrderedDict[str, Response] = OrderedDict()
        self._path: Path | None = None
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            self._path = directory / "registrations.jsonl"
            for line in lines(self._path):
                self._apply(msgspec.json.decode(line, type=Line))

    def do(self, node: KnownNode, command: Command) -> Response:
        """The answer to a command of a logged-in node."""
        if command.verb == "poll":
            return self._poll(node, command)
        if command.verb == "check":
            return self._check(node, command)
        if command.verb not in _CHANGES or command.op == "query":
            return _named(self._look(node, command), command)
        digest = hashlib.sha256(write_command(command)).hexdigest()
        key = f"{node.app_id} {command.id} {digest}"
        known = self._replies.get(key)
        if known is not None:
            return known
        response, line = self._change(node, command)
        response = _named(response, command)
        if response.code < Result.SYNTAX:  # a refusal may be put right and asked again
            self._write(msgspec.structs.replace(line, key=key, response=response))
        return response

    def _refusal(self, node: KnownNode, command: Command) -> Result | None:
        """Why a command about one prefix cannot be done, if so."""
        prefix, verb = command.prefix, command.verb
        is_held = prefix in self.registered
        needs_fields = verb in {"create", "update"} or (verb, command.op) == ("transfer", "request")
        rules = (
            (not prefix.startswith(node.prefix + "."), Result.AUTHORIZATION),
            (verb == "create" and is_held, Result.EXISTS),
            (verb != "create" and not is_held, Result.MISSING),
            (verb == "transfer" and command.op not in _OPS, Result.PARAMETER),
            (needs_fields and not command.fields.get("uscc"), Result.PARAMETER),
            (prefix in self.pending and verb in {"update", "delete"}, Result.PROHIBITED),
        )
        return next((result for holds, result in rules if holds), None)

    def _change(self, node: KnownNode, command: Command) -> tuple[Response, Line]:
        refusal = self._refusal(node, command)
        if refusal is not None:
            return respond(refusal), Line()
        if command.verb == "transfer":
            return self._transfer(node, command)
        fields = None if command.verb == "delete" else dict(command.fields)
        return respond(Result.OK), Line(held={command.prefix: fields})

    def _transfer(self, node: KnownNode, command: Command) -> tuple[Response, Line]:
        prefix, is_pending = command.prefix, command.prefix in self.pending
        if command.op == "cancel":
            if not is_pending:
                return respond(Result.TRANSFER_NONE), Line()
            told = {_TRANSFER: "clientCancelled"}
            line = Line(pending={prefix: None})
            return respond(Result.OK, prefix=prefix, fields=told), line
        if is_pending:
            return respond(Result.TRANSFER_PENDING), Line()
        if command.fields.get("holder") != self.registered[prefix].get("uscc"):
            return respond(Result.AUTHORIZATION), Line()
        if not self._review_s:
            told = {_TRANSFER: "serverApproved"}
            line = Line(held={prefix: dict(command.fields)})
            return respond(Result.OK, prefix=prefix, fields=told), line
        waiting = Pending(app=node.app_id, fields=dict(command.fields), since_s=_now().timestamp())
        told = {_TRANSFER: "pending"}
        response = respond(Result.PENDING, prefix=prefix, fields=told)
        return response, Line(pending={prefix: waiting})

    def _look(self, node: KnownNode, command: Command) -> Response:
        refusal = self._refusal(node, command)
        if refusal is not None:
            return respond(refusal)
        if command.verb == "transfer":
            waiting = command.prefix in self.pending
            if not waiting:
                return respond(Result.TRANSFER_NONE)
            return respond(Result.OK, prefix=command.prefix, fields={_TRANSFER: "pending"})
        return respond(Result.OK, prefix=command.prefix, fields=self.registered[command.prefix])

    def _check(self, node: KnownNode, command: Command) -> Response:
        if not command.prefixes:
            return _named(respond(Result.PARAMETER), command)
        head = node.prefix + "."
        free = {one: one.startswith(head) and one not in self.registered
                for one in command.prefixes}  # fmt: skip
        return _named(respond(Result.OK, free=free), command)

    def _poll(self, node: KnownNode, command: Command) -> Response:
        queue = self._queues.setdefault(node.app_id, OrderedDict())
        if command.op == "ack":
            if command.message not in queue:
                return _named(respond(Result.MISSING), command)
            self._write(Line(acknowledged={node.app_id: command.message}))
            left = Waiting(count=len(queue), id=command.message)
            return _named(respond(Result.OK, waiting=left), command)
        if command.op != "req":
            return _named(respond(Result.PARAMETER), command)
        first = next(iter(queue.values()), None)
        if first is None:
            return _named(respond(Result.NO_MESSAGES), command)
        waiting = Waiting(count=len(queue), id=first.id, at=first.at, text=first.text)
        return _named(
            respond(Result.MESSAGE, waiting=waiting, prefix=first.prefix, fields=first.fields),
            command,
        )

    def decide(self, prefix: str, *, approve: bool) -> None:
        """Decide a pending passing on; the node that asked finds it in its queue."""
        waiting = self.pending[prefix]
        status = "serverApproved" if approve else "serverCancelled"
        message = _message(f"transfer of {prefix}: {status}", prefix, {_TRANSFER: status})
        self._write(
            Line(
                held={prefix: waiting.fields} if approve else {}, pending={prefix: None},
                queued={waiting.app: message},
            )
        )  # fmt: skip

    def settle(self) -> None:
        """Approve what has waited for as long as a review takes here."""
        before = _now().timestamp() - self._review_s
        for prefix in [key for key, one in self.pending.items() if one.since_s <= before]:
            self.decide(prefix, approve=True)

    def notify(self, node: KnownNode, text: str, **fields: str) -> None:
        """Put news into a node's queue."""
        self._write(Line(queued={node.app_id: _message(text, node.prefix, fields)}))

    def _write(self, line: Line) -> None:
        if self._path is not None:
            append(self._path, msgspec.json.encode(line))
        self._apply(line)

    def _apply(self, line: Line) -> None:
        _merge(self.registered, line.held)
        _merge(self.pending, line.pending)
        self.changes += bool(line.held or line.pending)
        for app, message in line.queued.items():
            self._queues.setdefault(app, OrderedDict())[message.id] = message
        for app, id_ in line.acknowledged.items():
            self._queues.setdefault(app, OrderedDict()).pop(id_, None)
        if line.response is not None:
            self._replies[line.key] = line.response
            while len(self._replies) > _MOST_REPLIES:
                self._replies.popitem(last=False)


def _merge(into: dict[str, Any], changed: dict[str, Any]) -> None:
    for key, value in changed.items():
        if value is None:
            into.pop(key, None)
        else:
            into[key] = value


def _named(response: Response, command: Command) -> Response:
    return msgspec.structs.replace(response, id=command.id, server_id=f"SIM-{secrets.token_hex(6)}")


def _message(text: str, prefix: str, fields: dict[str, str]) -> Message:
    at = _now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return Message(id=secrets.token_hex(6), at=at, text=text, prefix=prefix, fields=fields)


def _now() -> datetime:
    return datetime.now(UTC)
