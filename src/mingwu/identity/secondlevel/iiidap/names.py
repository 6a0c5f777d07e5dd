"""Names of the data access service: paths, members, fields to search by.

Modelled on the IIIDAP drafts, of which only the first pages were at hand: whoever has their text
changes it here. No imports, so that asking starts quickly.
"""

from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "root": "/iiidap",
    "conformance": "iiidap_level_0_modelled_on_rdap",
    "identifier": "identifier",
    "prefix": "prefix",
    "entity": "entity",
    "identifiers": "identifiers",
    "prefixes": "prefixes",
    "entities": "entities",
    "help": "help",
    "bootstrap": "bootstrap.json",
    "media": "application/rdap+json",
}
# The first field of each is what a search means that names none.
FIELDS: Mapping[str, tuple[str, ...]] = {
    NAMES["identifiers"]: ("name",),
    NAMES["prefixes"]: ("name",),
    NAMES["entities"]: ("fn", "handle"),
}
