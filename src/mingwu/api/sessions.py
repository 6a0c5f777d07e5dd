"""Routes of people: login, logout, language, password, accounts, journal."""

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mingwu.api.door import COOKIE, LANGUAGE_COOKIE, AttemptLimiter, token_of
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
from mingwu.api.routing import Call, Endpoint, Nothing, encode_reply
from mingwu.kernel.errors import NotAuthenticated

_YEAR_S = 365 * 86_400


class SessionRoutes:
    """Holds the count of failed logins of this process."""

    def __init__(self, login_attempts: int) -> None:
        self._attempts = AttemptLimiter(login_attempts)

    async def login(self, call: Call) -> Response:
        """Check the password; hand out cookie and token."""
        body: LoginBody = call.body
        client = call.request.client
        keys = (f"account:{body.account.casefold()}", f"address:{client.host if client else ''}")
        self._attempts.check(*keys)
        people = call.services.people
        try:
            token, principal = await run_in_threadpool(people.login, body.account, body.password)
        except NotAuthenticated:
            self._attempts.failed(*keys)
            await run_in_threadpool(
                call.services.journal.append, body.account, "login.failed", keys[1], {}
            )
            raise
        self._attempts.succeeded(*keys)
        call.principal = principal
        await call.journal("login", principal.account)
        reply = SessionReply(
            account=principal.account,
            role=principal.role,
            language=principal.language or call.lang,
            token=token,
        )
        response = encode_reply(reply)
        settings = call.services.settings
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(settings.session_hours * 3600),
            httponly=True,
            samesite="lax",
            secure=settings.secure_cookie,
            path="/",
        )
        return response

    async def logout(self, call: Call) -> Response:
        """End the session and drop the cookie."""
        await run_in_threadpool(call.services.people.logout, token_of(call.request))
        await call.journal("logout", call.principal.account)
        response = encode_reply(Nothing())
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return response

    async def me(self, call: Call) -> SessionReply:
        """Whose session this is."""
        who = call.principal
        return SessionReply(account=who.account, role=who.role, language=call.lang)

    async def language(self, call: Call) -> Response:
        """Remember the language, in the account and in this browser."""
        body: LanguageBody = call.body
        await run_in_threadpool(
            call.services.people.set_language, call.principal.account, body.language
        )
        response = encode_reply(Nothing())
        response.set_cookie(
            LANGUAGE_COOKIE, body.language, max_age=_YEAR_S, samesite="lax", path="/"
        )
        return response

    async def password(self, call: Call) -> Nothing:
        """Change the own password."""
        body: PasswordBody = call.body
        await run_in_threadpool(
            call.services.people.change_password, call.principal.account, body.old, body.new
        )
        await call.journal("password.changed", call.principal.account)
        return Nothing()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of this part."""
        return (
            Endpoint(
                method="POST",
                path="/api/session",
                handler=self.login,
                role=None,
                tag="session",
                summary="Log in",
                body=LoginBody,
                reply=SessionReply,
                errors=(400, 401, 429),
            ),
            Endpoint(
                method="GET",
                path="/api/session",
                handler=self.me,
                tag="session",
                summary="Who am I",
                reply=SessionReply,
            ),
            Endpoint(
                method="DELETE",
                path="/api/session",
                handler=self.logout,
                tag="session",
                summary="Log out",
            ),
            Endpoint(
                method="PUT",
                path="/api/session/language",
                handler=self.language,
                tag="session",
                summary="Choose the language",
                body=LanguageBody,
            ),
            Endpoint(
                method="PUT",
                path="/api/session/password",
                handler=self.password,
                tag="session",
                summary="Change the own password",
                body=PasswordBody,
            ),
            Endpoint(
                method="GET",
                path="/api/accounts",
                handler=accounts,
                role="admin",
                tag="accounts",
                summary="List accounts",
                reply=AccountsReply,
            ),
            Endpoint(
                method="POST",
                path="/api/accounts",
                handler=create_account,
                role="admin",
                tag="accounts",
                summary="Create an account",
                body=NewAccountBody,
                status=201,
                errors=(409,),
            ),
            Endpoint(
                method="PATCH",
                path="/api/accounts/{name}",
                handler=change_account,
                role="admin",
                tag="accounts",
                summary="Change role or state",
                body=AccountChangeBody,
                errors=(404,),
            ),
            Endpoint(
                method="GET",
                path="/api/journal",
                handler=journal,
                role="admin",
                tag="accounts",
                summary="Last lines of the journal",
                query=JournalQuery,
                reply=JournalReply,
            ),
        )


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
    await call.journal("account.changed", name, role=body.role, disabled=body.disabled)
    return Nothing()


async def journal(call: Call) -> JournalReply:
    """Newest first."""
    query: JournalQuery = call.query
    return JournalReply(lines=await run_in_threadpool(call.services.journal.tail, query.limit))
