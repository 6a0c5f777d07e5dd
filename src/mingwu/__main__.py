"""``python -m mingwu`` is the command line."""

import sys

from mingwu.cli.main import main

sys.exit(main())
