"""For the tasks of these tests: Keras is not there. No cluster needs it, and it is half of what importing costs."""

import sys

sys.modules["keras"] = None
