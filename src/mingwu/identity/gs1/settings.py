"""Settings of the GS1 resolver."""

from mingwu.kernel.settings import Settings


class Gs1Settings(Settings, frozen=True, kw_only=True):
    """What the resolver tells about itself."""

    # Address under which the Digital Link URIs are printed; empty means the request's own host.
    resolver_root: str = ""
    # Name in the description file.
    name: str = "Mingwu GS1 resolver"
    # Address of the JSON-LD context of linksets.
    context_url: str = "https://ref.gs1.org/standards/resolver/linkset-context"
    # Page with the terms of use; empty means none.
    terms_of_use: str = ""
