"""Routes of the node and of its desk: roles, masked numbers, and who did what in the journal."""

from types import SimpleNamespace

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from mingwu.api.routing import error_response
from mingwu.identity.secondlevel import outbox
from mingwu.identity.secondlevel.routes import desk as deskhttp
from mingwu.identity.secondlevel.routes import node as http
from mingwu.kernel.errors import MingwuError
from mingwu.store.engine import writing

pytestmark = pytest.mark.anyio
CITIZEN = "11010519491231002X"


@pytest.fixture
def lines():
    return []


@pytest.fixture
def client(node, lines):
    def journal(actor, action, subject, detail, address):
        lines.append((actor, action, subject, detail))

    app = Starlette(routes=[*deskhttp.routes(node, journal), *http.routes(node, journal)])

    async def refused(_request, error):
        return error_response(error, "en")

    app.add_exception_handler(MingwuError, refused)

    async def with_door(scope, receive, send):
        role = dict(scope["headers"]).get(b"x-role", b"").decode()
        if role:
            scope.setdefault("state", {})["principal"] = SimpleNamespace(account=role, role=role)
        await app(scope, receive, send)

    return httpx.AsyncClient(
        transport=httpx.ASGITransport(with_door),
        base_url="http://node/api/secondlevel",
        headers={"x-role": "admin"},
    )


def body(form):
    return msgspec.to_builtins(form)


async def test_changes_are_in_the_journal_and_numbers_in_no_reply(client, lines, make_form):
    async with client:
        engineer = {"x-role": "engineer"}
        form = body(make_form(1, citizen=CITIZEN))
        sent = await client.post("/applications", json=form, headers=engineer)
        assert sent.status_code == 201
        id_ = sent.json()["id"]
        back = {"action": "return", "reasons": [{"field": "purpose", "text": "why"}]}
        refused = await client.post(f"/applications/{id_}/decision", json=back, headers=engineer)
        assert refused.status_code == 403
        replies = [
            sent,
            await client.post(f"/applications/{id_}/decision", json=back),
            await client.put(f"/applications/{id_}", json=form, headers=engineer),
            await client.get("/applications"),
            await client.get(f"/applications/{id_}"),
            await client.post(f"/applications/{id_}/decision", json={"action": "accept"}),
            await client.get("/tenants"),
        ]
        uscc = form["organisation"]["uscc"]
        replies.append(await client.patch(f"/tenants/{uscc}", json={"group": "reader"}))
    assert all(reply.is_success for reply in replies)
    assert not any(CITIZEN in reply.text for reply in replies)
    assert [(actor, action) for actor, action, *_ in lines] == [
        ("engineer", "identity.prefix-submit"),
        ("admin", "identity.prefix-return"),
        ("engineer", "identity.prefix-submit"),
        ("admin", "identity.prefix-accept"),
        ("admin", "identity.tenant-change"),
    ]
    assert CITIZEN not in str(lines)


async def test_a_refused_message_is_sent_again_by_an_administrator_only(client, lines, node):
    with writing(node._engine) as connection:
        number = outbox.put(connection, "sync", "T5", {}, 1)
    node.outbox._settle(number, "refused", "why")
    path = f"/desk/messages/{number}/again"
    async with client:
        assert (await client.post(path, headers={"x-role": "engineer"})).status_code == 403
        assert (await client.post(path)).json()["state"] == "waiting"
        assert (await client.post(path)).status_code == 404
        found = (await client.get("/desk/messages?state=waiting")).json()
    assert found["total"] == 1
    assert lines == [("admin", "identity.upstream-again", str(number), {})]


@pytest.mark.parametrize(
    ("path", "role", "status"),
    [
        ("/desk/about", "", 401),
        ("/desk/about", "viewer", 200),
        ("/desk/applications", "viewer", 403),
        ("/desk/applications?state=odd", "engineer", 400),
        ("/desk/applications?offset=-1", "engineer", 400),
        ("/desk/enterprises?sort=profile", "viewer", 400),
        ("/desk/enterprises?limit=1000000", "viewer", 400),
        ("/desk/nodes/88.101.9", "viewer", 200),
        ("/desk/duties", "viewer", 200),
        ("/desk/deposits", "viewer", 200),
        ("/desk/delegation", "viewer", 200),
    ],
)
async def test_roles_and_bad_questions(client, path, role, status):
    async with client:
        assert (await client.get(path, headers={"x-role": role})).status_code == status
