"""Routes of people: login, logout, language, password, accounts, journal."""

import time

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mingwu.api.door import COOKIE, LANGUAGE_COOKIE, token_of
from mingwu.api.ports import JournalVerdict, Principal
from mingwu.api.records import (
    AccountChangeBody,
    AccountsReply,
    JournalQuery,
    JournalReply,
    LanguageBody,
    LoginBody,
    NewAccountBody,
    PasswordBody,
    SessionReply,
)
from mingwu.api.routing import ANYONE_KNOWN, Call, Endpoint, encode_reply
from mingwu.kernel.errors import NotAuthenticated
from mingwu.kernel.shapes import Nothing

_YEAR_S = 365 * 86_400


async def login(call: Call) -> Response:
    """Check the password; hand out cookie and token."""
    body: LoginBody = call.body
    services = call.services
    try:
        token, principal = await run_in_threadpool(
            services.people.login, body.account, body.password, call.address
        )
    except NotAuthenticated:
        # The name is not written down: what people type there is sometimes their password.
        await call.journal("session.refused", "")
        raise
    call.principal = principal
    await call.journal("session.login", principal.account)
    response = encode_reply(_session(principal, call.lang, token))
    response.set_cookie(
        COOKIE,
        token,
        max_age=max(0, principal.expires_ms // 1000 - int(time.time())) or None,
        httponly=True,
        samesite="lax",
        secure=services.settings.secure_cookie,
        path="/",
    )
    return response


def _session(principal: Principal, lang: str, token: str = "") -> SessionReply:
    return SessionReply(
        account=principal.account,
        role=principal.role,
        language=lang,
        must_change=principal.must_change,
        token=token,
    )


async def logout(call: Call) -> Response:
    """End the session and drop the cookie."""
    await run_in_threadpool(call.services.people.logout, token_of(call.request))
    call.services.door.forget()
    await call.journal("session.logout", call.principal.account)
    response = encode_reply(Nothing())
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return response


async def me(call: Call) -> SessionReply:
    """Whose session this is."""
    return _session(call.principal, call.lang)


async def language(call: Call) -> Response:
    """Remember the language, in the account and in this browser."""
    body: LanguageBody = call.body
    people = call.services.people
    await run_in_threadpool(people.set_language, call.principal.account, body.language)
    call.services.door.forget()
    response = encode_reply(Nothing())
    response.set_cookie(LANGUAGE_COOKIE, body.language, max_age=_YEAR_S, samesite="lax", path="/")
    return response


async def password(call: Call) -> Nothing:
    """Change the own password; every session of the account ends, this one too."""
    body: PasswordBody = call.body
    people, name = call.services.people, call.principal.account
    await run_in_threadpool(people.change_password, name, body.old, body.new, call.address)
    call.services.door.forget()
    await call.journal("account.password", name)
    return Nothing()


async def accounts(call: Call) -> AccountsReply:
    """All accounts."""
    return AccountsReply(accounts=await run_in_threadpool(call.services.people.accounts))


async def create_account(call: Call) -> Nothing:
    """A new account."""
    body: NewAccountBody = call.body
    await run_in_threadpool(call.services.people.create, body.name, body.password, body.role)
    await call.journal("account.created", body.name, role=body.role)
    return Nothing()


async def change_account(call: Call) -> Nothing:
    """Another role, or in or out of use."""
    body: AccountChangeBody = call.body
    name = call.path("name")

    def change() -> None:
        call.services.people.update(name, role=body.role, disabled=body.disabled)

    await run_in_threadpool(change)
    call.services.door.forget()
    await call.journal("account.changed", name, role=body.role, disabled=body.disabled)
    return Nothing()


async def journal(call: Call) -> JournalReply:
    """Newest first."""
    query: JournalQuery = call.query
    wanted = msgspec.structs.asdict(query)
    tail = call.services.journal.tail
    return JournalReply(lines=await run_in_threadpool(lambda: tail(**wanted)))


async def journal_check(call: Call) -> JournalVerdict:
    """Walk the chain of hashes."""
    return await run_in_threadpool(call.services.journal.verify)


ENDPOINTS = (
    Endpoint(method="POST", path="/api/session", handler=login, role=None, tag="session",
             summary="Log in", body=LoginBody, reply=SessionReply, errors=(401, 429)),
    Endpoint(method="GET", path="/api/session", handler=me, role=ANYONE_KNOWN, tag="session",
             summary="Who am I", reply=SessionReply),
    Endpoint(method="DELETE", path="/api/session", handler=logout, role=ANYONE_KNOWN,
             tag="session", summary="Log out"),
    Endpoint(method="PUT", path="/api/session/language", handler=language, role=ANYONE_KNOWN,
             tag="session", summary="Choose the language", body=LanguageBody),
    Endpoint(method="PUT", path="/api/session/password", handler=password, role=ANYONE_KNOWN,
             tag="session", summary="Change the own password", body=PasswordBody, errors=(429,)),
    Endpoint(method="GET", path="/api/accounts", handler=accounts, role="admin", tag="accounts",
             summary="List accounts", reply=AccountsReply),
    Endpoint(method="POST", path="/api/accounts", handler=create_account, role="admin",
             tag="accounts", summary="Create an account", body=NewAccountBody, status=201,
             errors=(409,)),
    Endpoint(method="PATCH", path="/api/accounts/{name}", handler=change_account, role="admin",
             tag="accounts", summary="Change role or state", body=AccountChangeBody,
             errors=(404, 409)),
    Endpoint(method="GET", path="/api/journal", handler=journal, role="admin", tag="accounts",
             summary="Lines of the journal, newest first", query=JournalQuery,
             reply=JournalReply),
    Endpoint(method="GET", path="/api/journal/check", handler=journal_check, role="admin",
             tag="accounts", summary="Whether the journal's chain of hashes holds",
             reply=JournalVerdict),
)  # fmt: skip
