"""Every fault of the emulated robot and every killed process, in each mode of the gate, many times with seeds.

`python -m benchmarks.fault_campaign --repeats 20 --out DIR` writes a table of how often and how fast each ends in its
safe state. Drivers, plant host, gate and emulated hardware are the real ones; only ROS and the policy are not there:
`gate_loop` steps the gate with a command that holds the stand pose.
"""
