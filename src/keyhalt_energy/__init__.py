"""The API that the keys protect: places, meters, cost centers, vendors, accounts, bills.

An example of an app behind keyhalt, built on keyhalt's public surface alone (docs/energy.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyhalt import AppContext
    from keyhalt_energy.energy import EnergyApp

__all__ = ["app"]


def app(context: AppContext) -> EnergyApp:
    """Open the app on its data, brought to this version's schema. What the entry point names."""
    from keyhalt_energy.energy import EnergyApp  # noqa: PLC0415 - a look at the package stays cheap

    return EnergyApp(context)
