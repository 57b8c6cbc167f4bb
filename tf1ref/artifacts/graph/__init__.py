"""Work on one GraphDef: its ends, shapes, constants, repairs, effects, and its answers in a session."""
