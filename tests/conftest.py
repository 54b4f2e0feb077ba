"""What every test relies on."""

import signal

# a suite started in the background inherits that SIGINT is ignored, and so would the programs
# that tests start and interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)
