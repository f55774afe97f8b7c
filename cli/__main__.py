"""`python -m cli` is the `kentongan` command."""

import sys

from cli.main import main

sys.exit(main())
