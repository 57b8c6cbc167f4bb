"""python -m cluster, in a checkout: the same as `python -m tf1ref.cluster`, which is what is installed."""

import sys

from tf1ref.cluster.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
