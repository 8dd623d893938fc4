"""`python -m agent` is `joulemart-agent`."""

import sys

from agent.cli import main

sys.exit(main())
