"""A chain that goes from one node to another over the Handle protocol."""

import pytest

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.aliases.chain import chain
from mingwu.identity.aliases.sources import local_source
from mingwu.identity.records import Record
from mingwu.wire.handle.values import HandleValue

pytestmark = pytest.mark.anyio
HERE, THERE = "88.888.101/MLD.7", "88.888.202/MC.3"


def value(index, kind, text):
    return HandleValue(index, kind, text.encode())


async def test_a_lent_mould_leads_to_the_borrowers_machine(serving):
    async with (
        serving("lender") as lender,
        serving("borrower", filled=False, prefixes=("88.888.202",)) as borrower,
    ):
        here, there = lender.store, borrower.store
        lent = (value(6, "LOCATION", "jiangzhou/w1"), value(600, "REL.lentTo", THERE))
        here.put(Record(HERE, lent))
        there.put(
            Record(THERE, (value(6, "LOCATION", "linhai/w9"), value(501, "ALIAS.OID", "1.2.156.3")))
        )
        AliasBook(here).add(HERE, "9506000134352")
        server = f"127.0.0.1:{borrower.port}"
        found = await chain("9506000134352", local_source(here, server=server))
        states = {node.text: (node.state, node.site) for node in found.nodes}
        assert states[THERE] == ("found", server)
        assert states["1.2.156.3"][0] == "code"
        assert found.systems == ["gs1", "oid", "vaa"]
        assert found.crosses
        unreachable = local_source(here, server="127.0.0.1:1", timeout_s=0.2)
        cut = await chain(HERE, unreachable)
        assert "unreachable" in {node.state for node in cut.nodes}
