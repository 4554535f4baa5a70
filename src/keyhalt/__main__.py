"""The command `keyhalt`, also where only the library is installed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from keyhalt.cli.context import Tools

EXIT_CONFIG = 78


def main() -> NoReturn:
    try:
        from keyhalt.cli.app import run  # noqa: PLC0415 - what it needs may not be there

        sys.exit(run(_tools))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "keyhalt":
            raise
        sys.stderr.write(
            f"keyhalt: the commands need {error.name}; install them with"
            ' pip install "keyhalt[server]"\n'
        )
        sys.exit(EXIT_CONFIG)


def _tools() -> Tools:
    from keyhalt.main import MainTools  # noqa: PLC0415 - not for help

    return MainTools()


if __name__ == "__main__":
    main()
