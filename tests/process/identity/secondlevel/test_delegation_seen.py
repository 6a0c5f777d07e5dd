"""A node sees, over the Handle protocol, where the top node delegates its prefix."""

import socket

import pytest

from mingwu.identity.secondlevel.delegation import Whither, look
from mingwu.identity.secondlevel.monitoring import NETWORK, probe
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.kernel.catalogue import zh_of
from mingwu.lab.topnode.run import TopNode
from mingwu.lab.topnode.settings import KnownNode, TopNodeSettings
from mingwu.trust import sm2

pytestmark = pytest.mark.anyio
PORTS = dict.fromkeys(
    ("root_port", "top_port", "recursive_port", "emergency_port", "epp_port", "http_port"), 0
)


async def test_here_taken_over_absent_and_silent(tmp_path):
    known = KnownNode(public_key=sm2.public_point(sm2.generate()).hex(), port=2651)
    settings = TopNodeSettings(
        directory=str(tmp_path / "top"), nodes=(known,), map_bytes=2**26, **PORTS
    )
    site = site_at("127.0.0.1", 2651)
    async with TopNode(settings) as top:
        ours = SecondLevelSettings(upstream_resolver=f"127.0.0.1:{top.top.port}")
        found = await look(ours, site)
        assert (found.state, found.address) == (Whither.HERE, "127.0.0.1:2651")
        moved = await look(ours, site_at("127.0.0.1", 2652))
        assert (moved.state, moved.ours) == (Whither.TAKEN_OVER, "127.0.0.1:2652")
        other = SecondLevelSettings(prefix="88.99", upstream_resolver=ours.upstream_resolver)
        assert (await look(other, site)).state is Whither.ABSENT
    assert (await look(ours, site)).state is Whither.SILENT
    assert (await look(SecondLevelSettings(), site)).state is Whither.NOT_ASKED


async def test_why_a_probe_failed_is_told_in_both_languages():
    with socket.socket() as closed:  # bound, never listening
        closed.bind(("127.0.0.1", 0))
        failed = await probe("88.101.2", "127.0.0.1", closed.getsockname()[1])
    assert (failed.ok, failed.cause) == (False, NETWORK)
    assert failed.detail.startswith("No answer from")
    assert "没有应答" in zh_of(failed.detail)
