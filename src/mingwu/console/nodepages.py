"""Pages about nodes: the second-level node, statistics of use, active carriers.

Each is one island under one address (its state stands in the query); whether the part behind it
runs on this node is told by the island, so that an empty page explains itself.
"""

# (address, key of the title, module of ``static/``)
PAGES = (
    ("/secondlevel/applications", "applications.title", "applications"),
    ("/secondlevel/enterprises", "enterprises.title", "enterprises"),
    ("/secondlevel/query", "dataquery.title", "dataquery"),
    ("/usage", "usage.title", "usage"),
    ("/secondlevel/duties", "duties.title", "duties"),
    ("/carriers", "carriers.title", "carriers"),
)

# Whose words a page needs besides those of the nodes.
MORE_WORDS = {"/secondlevel/enterprises": ("access",), "/carriers": ("carriers",)}

# Entries of the side menu: (address, key of the words, icon).
MENU = (
    ("/secondlevel/applications", "nav.applications", "review"),
    ("/secondlevel/enterprises", "nav.enterprises", "enterprise"),
    ("/secondlevel/query", "nav.dataquery", "search"),
    ("/usage", "nav.usage", "bars"),
    ("/secondlevel/duties", "nav.duties", "duties"),
    ("/carriers", "nav.carriers", "chip"),
)
