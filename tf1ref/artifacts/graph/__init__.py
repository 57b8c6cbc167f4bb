"""Work on one GraphDef: its ends, shapes, constants, repairs, effects, and what it answers in a session."""
