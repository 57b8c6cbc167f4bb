import pytest
import tensorflow.compat.v1 as v1


@pytest.fixture(params=[1, 2], ids="control flow {}".format)
def flow(request):
    """While and cond of TensorFlow 1, as `exec` has them, and of TensorFlow 2."""
    before = v1.control_flow_v2_enabled()
    (v1.disable_control_flow_v2 if request.param == 1 else v1.enable_control_flow_v2)()
    yield request.param
    (v1.enable_control_flow_v2 if before else v1.disable_control_flow_v2)()
