"""The engine inside somebody else's app: opens the stores in their process as a verifier.

Needs the extra `sqlite` or `postgres`. It reads the same settings as the server does
(docs/settings.md), so an app and a server beside it agree; what is given here comes before them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.environments import load_environment
from keyhalt.opening import open_environment

if TYPE_CHECKING:
    from pathlib import Path

    from keyhalt.core.audit import Origin
    from keyhalt.core.decisions import Decision, Denied, Presented
    from keyhalt.core.permissions import Need
    from keyhalt.embed import Engine


def open_verifier(
    data: Path | str | None = None,
    profile: Path | str | None = None,
    environment: str = "",
    **settings: object,
) -> EmbeddedVerifier:
    """Open an environment that `keyhalt init` made. One per process, used from one event loop.

    `environment`: its name, where the settings have several. Raises SettingsError, NotSetUpError,
    ProfileError, MacKeysError or StoreUnavailableError.
    """
    said = {
        **settings,
        "data": None if data is None else str(data),
        "profile": None if profile is None else str(profile),
    }
    return EmbeddedVerifier(open_environment(load_environment(environment, said)))


class EmbeddedVerifier:
    """The engine as a verifier, with the same promise as the server's. Close it at the end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._verify = engine.verify
        self.remembered, self.used = self._verify.remembered, self._verify.used
        self.realm: str = self._verify.realm

    def need(self, name: str) -> Need:
        return self._verify.need(name)

    async def verify(self, presented: Presented) -> Decision:
        return await self._verify.verify(presented)

    def refused(self, denied: Denied, origin: Origin) -> Denied:
        return self._verify.refused(denied, origin)

    def close(self) -> None:
        """Write what is queued for the audit log and let go of the files."""
        self.engine.close()
