"""The real robot behind the bridge: drivers of Go2 and Piper, emulated hardware, state estimation."""
