"""Settings of the registry."""

from mingwu.kernel.settings import Settings
from mingwu.store.settings import StoreSettings


class RegistrySettings(Settings, frozen=True, kw_only=True):
    """The registry of things.

    ``store``: where its rows live.
    ``api_base``: address put before the forms of Thing Descriptions, e.g. ``http://plant:8080``;
    empty gives relative forms, resolved against the address the description was read from.
    """

    store: StoreSettings = StoreSettings()
    api_base: str = ""
