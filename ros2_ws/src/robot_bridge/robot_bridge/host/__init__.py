"""The plant host: a child process that owns one plant, with a loop and a watchdog of its own.

`layout`, `channel`, `watchdog`, `loop` and `__main__` also run on Python 3.6 without any package, as Isaac Gym needs;
`hosted_plant` is the bridge's side, `local_plant` makes a `Plant` of this project fit the loop.
"""
