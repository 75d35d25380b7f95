"""The Go2 over DDS: messages, checksum, release of the low level, driver."""
