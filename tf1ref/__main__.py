"""python -m tf1ref is the installed command tf1ref."""

import sys

from tf1ref.cli import main

if __name__ == "__main__":
    sys.exit(main())
