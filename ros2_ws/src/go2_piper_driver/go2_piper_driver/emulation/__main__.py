"""`python -m go2_piper_driver.emulation`."""

import sys

from .emulated_robot import main

sys.exit(main())
