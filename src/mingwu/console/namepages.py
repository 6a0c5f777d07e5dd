"""Pages about names: the register of this node; the page of one name is built in ``pages``.

Each is one island under one address. What a person may do there is decided by the routes, the
islands only ask.
"""

# Whose words the islands need: names and templates, and those for figures of use.
AREAS = ("names", "nodes", "carriers", "register")

# (address, key of the title, module of ``static/``)
PAGES = (
    ("/names", "nav.registrations", "names"),
    ("/names/import", "import.title", "import"),
    ("/names/filing", "nav.filing", "filing"),
)

# The access pages have a vocabulary of their own.
ACCESS_AREAS = (*AREAS, "access")
ACCESS_PAGES = (("/names/grants", "nav.grants", "grants"),)

# Entries of the side menu: (address, key of the words, icon).
MENU = (
    ("/names", "nav.registrations", "register"),
    ("/names/import", "nav.import", "import"),
    ("/names/filing", "nav.filing", "filing"),
    ("/names/grants", "nav.grants", "lock"),
)
