"""From audio files and play counts to ranked lists: ``python -m skcoldstart``."""

import sys

from skcoldstart._command import main

if __name__ == "__main__":
    sys.exit(main())
