"""The planner's `mujoco` backend against judo (PyPI `judo-rai`): same robot, same cost, same budget.

judo lives in an environment of its own, outside of the repository. It pins another MuJoCo, but version 0.1.0 runs with
this project's as well, so that both sides roll the same physics out:

    python3.11 -m venv ~/.cache/go2_piper/judo
    ~/.cache/go2_piper/judo/bin/pip install judo-rai==0.1.0
    ~/.cache/go2_piper/judo/bin/pip uninstall --yes mujoco   # 3.6 is one package, 4.0 three: over it, it breaks
    ~/.cache/go2_piper/judo/bin/pip install mujoco==4.0.0    # this project's; pip notes that judo asks for 3.6

`python -m benchmarks cem`, or `python -m benchmarks.cem --help` for other sizes. Both sides run in child processes
(`side`), in turns; without judo's interpreter only ours are measured, with one line that says so.
"""

from .compare import run

__all__ = ["run"]
