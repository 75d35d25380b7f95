"""A python-can backend over loopback, for machines without kernel CAN."""
