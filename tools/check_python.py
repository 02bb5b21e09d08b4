"""Exit with an error unless this Python can run the project; `make` runs it before it creates `.venv`.

The file must work with every Python that somebody may have, including Python 2.
"""

import sys

OLDEST = (3, 11)
NEWEST = (3, 14)

if not OLDEST <= sys.version_info[:2] <= NEWEST:
    sys.exit(
        "This project needs Python %s.%s to %s.%s, but %s is Python %s.%s.\n"
        "Choose another Python, for example: make PYTHON=python3.13"
        % (OLDEST + NEWEST + (sys.executable,) + tuple(sys.version_info[:2]))
    )
