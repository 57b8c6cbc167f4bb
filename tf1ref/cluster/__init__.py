"""Parameter-server jobs that always end: starts, watches and ends the tasks of a cluster.

The outside of a task. It never imports TensorFlow; its contract with a task is the variable TF_CONFIG, so a
task may be any program. `python -m tf1ref.cluster up FILE -- COMMAND...` is the way in.
"""
