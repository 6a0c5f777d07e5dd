"""Accounts, sessions, tokens: who gets in, who is kept out, and for how long."""

import pytest

from mingwu.kernel.errors import (
    Conflict,
    Denied,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    Overloaded,
)
from mingwu.store.engine import reading, sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust import schema
from mingwu.trust.roles import Permission, Role
from mingwu.trust.service import Trust
from mingwu.trust.settings import LoginSettings, PasswordSettings, SessionSettings, TrustSettings

GOOD = "correct horse battery"
MINUTE = 60.0


class FakeClock:
    def __init__(self):
        self.now = 1_800_000_000_000_000_000

    def time_ns(self):
        return self.now

    def monotonic_ns(self):
        return self.now

    def advance(self, seconds):
        self.now += int(seconds * 1e9)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def settings(tmp_path):
    return TrustSettings(
        store=StoreSettings(url=sqlite_url(tmp_path / "t.db")),
        password=PasswordSettings(scrypt_log2_n=10),  # cheap: these tests are not about its cost
        login=LoginSettings(failures=3, address_failures=8, pause_s=10, longest_pause_s=60),
        session=SessionSettings(hours=8, idle_minutes=30, cache_s=0),
    )


@pytest.fixture
def trust(settings, clock):
    trust = Trust.open(settings, clock)
    trust.accounts.create("Ann", GOOD, Role.ENGINEER, display="Ann Li", language="zh")
    yield trust
    trust.close()


def fail(trust, times, name="ann", address="10.0.0.1"):
    for _ in range(times):
        with pytest.raises(NotAuthenticated):
            trust.accounts.authenticate(name, "wrong", address=address)


def test_the_first_administrator_is_made_once(settings, clock):
    trust = Trust.open(settings, clock)
    password = trust.accounts.ensure_admin()
    assert trust.accounts.ensure_admin() is None
    admin = trust.accounts.authenticate("admin", password)
    assert (admin.role, admin.must_change) == (Role.ADMIN, True)
    trust.accounts.set_password("admin", GOOD)
    assert not trust.accounts.authenticate("admin", GOOD).must_change
    with pytest.raises(NotAuthenticated):
        trust.accounts.authenticate("admin", password)
    trust.close()


def test_the_password_is_nowhere_in_the_store(settings, clock, tmp_path):
    trust = Trust.open(settings, clock)
    password = trust.accounts.ensure_admin()
    token, _ = trust.sessions.open(trust.accounts.authenticate("admin", password))
    trust.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("t.db*"))
    assert password.encode() not in stored
    assert token.encode() not in stored
    assert b"scrypt$" in stored


def test_names_ignore_case_and_answers_do_not_tell_who_exists(trust):
    assert trust.accounts.authenticate("ANN", GOOD).name == "ann"
    with pytest.raises(NotAuthenticated) as wrong:
        trust.accounts.authenticate("ann", "wrong")
    with pytest.raises(NotAuthenticated) as unknown:
        trust.accounts.authenticate("nobody", "wrong")
    assert wrong.value.as_dict() == unknown.value.as_dict()


def test_guessing_is_paused_for_longer_and_longer(trust, clock):
    fail(trust, 3)
    with pytest.raises(Overloaded) as caught:
        trust.accounts.authenticate("ann", GOOD, address="10.0.0.1")
    assert (caught.value.code, caught.value.params) == ("trust.locked", {"wait_s": 10})
    trust.accounts.authenticate("ann", GOOD, address="10.0.0.2")
    clock.advance(10)
    fail(trust, 1)
    with pytest.raises(Overloaded) as caught:
        trust.accounts.authenticate("ann", GOOD, address="10.0.0.1")
    assert caught.value.params == {"wait_s": 20}
    clock.advance(20)
    trust.accounts.authenticate("ann", GOOD, address="10.0.0.1")
    fail(trust, 2)
    trust.accounts.authenticate("ann", GOOD, address="10.0.0.1")


def test_an_address_that_tries_many_names_is_paused(trust, clock):
    for n in range(8):
        fail(trust, 1, name=f"user{n}", address="10.0.0.9")
    with pytest.raises(Overloaded):
        trust.accounts.authenticate("ann", GOOD, address="10.0.0.9")
    clock.advance(3700)
    trust.accounts.authenticate("ann", GOOD, address="10.0.0.9")


def test_pauses_survive_a_restart(trust, settings, clock):
    fail(trust, 3)
    again = Trust.open(settings, clock)
    with pytest.raises(Overloaded):
        again.accounts.authenticate("ann", GOOD, address="10.0.0.1")
    again.close()


@pytest.mark.parametrize("password", ["short", "a" * 40, "xx-bobby-xx-1", "p" * 1025 + GOOD])
def test_weak_passwords_are_refused(trust, password):
    with pytest.raises(InvalidInput) as caught:
        trust.accounts.create("bobby", password, Role.VIEWER)
    assert caught.value.code == "trust.weak-password"


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a/b"])
def test_bad_names_are_refused(trust, name):
    with pytest.raises(InvalidInput):
        trust.accounts.create(name, GOOD, Role.VIEWER)


def test_accounts_are_listed_by_name_without_their_passwords(trust):
    trust.accounts.create("aaron", GOOD, Role.VIEWER)
    assert [account.name for account in trust.accounts.list()] == ["aaron", "ann"]
    assert "scrypt" not in repr(trust.accounts.list())


def test_a_reset_password_is_new_and_must_be_changed(trust):
    password = trust.accounts.reset_password("ann")
    assert trust.accounts.authenticate("ann", password).must_change
    trust.accounts.set_profile("ann", display="Ann", language="en")
    assert trust.accounts.get("ann").language == "en"


def test_accounts_are_unique_and_the_last_admin_stays(trust):
    with pytest.raises(Conflict):
        trust.accounts.create("ANN", GOOD, Role.VIEWER)
    trust.accounts.create("root", GOOD, Role.ADMIN)
    for change in (
        lambda: trust.accounts.set_role("root", Role.VIEWER),
        lambda: trust.accounts.set_enabled("root", enabled=False),
    ):
        with pytest.raises(Conflict) as caught:
            change()
        assert caught.value.code == "trust.last-admin"
    assert trust.accounts.get("root").role is Role.ADMIN
    with pytest.raises(NotFound):
        trust.accounts.set_role("nobody", Role.VIEWER)


def test_costlier_hashes_replace_old_ones_at_login(trust, settings, clock):
    with reading(trust._engine) as connection:
        before = connection.execute(schema.account.select()).one().password
    stronger = TrustSettings(store=settings.store, password=PasswordSettings(scrypt_log2_n=11))
    again = Trust.open(stronger, clock)
    again.accounts.authenticate("ann", GOOD)
    with reading(again._engine) as connection:
        after = connection.execute(schema.account.select()).one().password
    assert (before.split("$")[1], after.split("$")[1]) == ("10", "11")
    again.accounts.authenticate("ann", GOOD)
    again.close()


def test_a_session_lives_while_used_and_not_longer_than_allowed(trust, clock):
    token, principal = trust.sessions.open(trust.accounts.get("ann"), address="10.0.0.1")
    assert (principal.account, principal.role, principal.language) == ("ann", Role.ENGINEER, "zh")
    for _ in range(15):
        clock.advance(29 * MINUTE)
        trust.sessions.check(token)
    clock.advance(29 * MINUTE)
    clock.advance(29 * MINUTE)
    with pytest.raises(NotAuthenticated):
        trust.sessions.check(token)
    token, _ = trust.sessions.open(trust.accounts.get("ann"))
    for _ in range(16):
        clock.advance(29 * MINUTE)
        trust.sessions.check(token)
    clock.advance(20 * MINUTE)
    with pytest.raises(NotAuthenticated):
        trust.sessions.check(token)
    assert trust.sessions.sweep() == 2
    assert trust.sessions.list() == []


def test_logout_and_changes_of_the_account_end_sessions(trust):
    ann = trust.accounts.get("ann")
    first, _ = trust.sessions.open(ann)
    second, _ = trust.sessions.open(ann)
    trust.sessions.close(first)
    with pytest.raises(NotAuthenticated):
        trust.sessions.check(first)
    trust.sessions.check(second)
    trust.accounts.set_password("ann", GOOD + "!")
    with pytest.raises(NotAuthenticated):
        trust.sessions.check(second)
    third, _ = trust.sessions.open(ann)
    trust.accounts.create("root", GOOD, Role.ADMIN)
    trust.accounts.set_enabled("ann", enabled=False)
    with pytest.raises(NotAuthenticated):
        trust.sessions.check(third)
    with pytest.raises(NotAuthenticated):
        trust.accounts.authenticate("ann", GOOD + "!")


@pytest.mark.parametrize("token", ["", "mw_", "mw_forged", "\udcff", "x" * 10_000])
def test_forged_tokens_are_nobody(trust, token):
    with pytest.raises(NotAuthenticated):
        trust.sessions.check(token)


def test_bearer_tokens_have_at_most_their_own_role(trust, clock):
    token = trust.sessions.create_token("ann", "erp", role=Role.VIEWER, days=30)
    clock.advance(29 * 86400)
    principal = trust.sessions.check(token)
    assert principal.role is Role.VIEWER
    principal.require(Permission.READ)
    with pytest.raises(Denied) as caught:
        principal.require(Permission.CONFIGURE)
    assert "配置" in caught.value.text("zh")
    trust.sessions.check_csrf(principal, "")
    (row,) = trust.sessions.list("ann")
    assert (row.label, row.kind) == ("erp", "token")
    clock.advance(2 * 86400)
    with pytest.raises(NotAuthenticated):
        trust.sessions.check(token)
    strong = trust.sessions.create_token("ann", "admin?", role=Role.ADMIN)
    assert trust.sessions.check(strong).role is Role.ENGINEER
    trust.sessions.revoke(trust.sessions.check(strong).id)
    with pytest.raises(NotAuthenticated):
        trust.sessions.check(strong)
    with pytest.raises(NotFound):
        trust.sessions.create_token("nobody", "x")
    with pytest.raises(NotFound):
        trust.sessions.revoke("nothing")


def test_csrf_belongs_to_one_session(trust):
    ann = trust.accounts.get("ann")
    _, one = trust.sessions.open(ann)
    _, two = trust.sessions.open(ann)
    trust.sessions.check_csrf(one, one.csrf)
    for sent in ("", two.csrf, "ü"):
        with pytest.raises(Denied):
            trust.sessions.check_csrf(one, sent)


def test_the_cache_forgets_what_this_process_revokes_at_once(settings, clock):
    cached = TrustSettings(store=settings.store, password=settings.password)
    trust = Trust.open(cached, clock)
    other = Trust.open(cached, clock)
    trust.accounts.create("ann", GOOD, Role.VIEWER)
    trust.accounts.create("root", GOOD, Role.ADMIN)
    token, _ = trust.sessions.open(trust.accounts.get("ann"))
    other.sessions.check(token)
    trust.accounts.set_role("ann", Role.OPERATOR)
    with pytest.raises(NotAuthenticated):
        trust.sessions.check(token)
    other.sessions.check(token)
    clock.advance(2.1)
    with pytest.raises(NotAuthenticated):
        other.sessions.check(token)
    trust.close()
    other.close()


def test_every_role_may_all_that_the_one_below_may():
    from mingwu.trust.roles import PERMISSIONS

    for lower, upper in zip(list(Role), list(Role)[1:], strict=False):
        assert PERMISSIONS[lower] < PERMISSIONS[upper]
    assert PERMISSIONS[Role.ADMIN] == set(Permission)
