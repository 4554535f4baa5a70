"""The command `keyhalt`, also where only the library is installed."""

from __future__ import annotations

import sys
from typing import NoReturn

EXIT_CONFIG = 78


def main() -> NoReturn:
    try:
        from keyhalt.main import main as run  # noqa: PLC0415 - what it needs may not be there
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "keyhalt":
            raise
        sys.stderr.write(
            f"keyhalt: the commands need {error.name}; install them with"
            ' pip install "keyhalt[server]"\n'
        )
        sys.exit(EXIT_CONFIG)
    run()


if __name__ == "__main__":
    main()
