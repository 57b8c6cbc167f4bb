"""Examples of a batch drawn again: each as often as its rate or its weight says, on average."""

import tensorflow.compat.v1 as v1
from tensorflow.python.training import moving_averages


def resample_at_rate(inputs, rates, scope=None, seed=None, back_prop=False):
    """Returns each of `inputs`, [batch, ...], with row i repeated as often as a Poisson variable of mean rates[i] says.

    back_prop makes no difference: the rows are chosen by whole numbers, which have no gradient.
    """
    with v1.name_scope(scope, "resample_at_rate", [*inputs, rates]):
        rates = v1.convert_to_tensor(rates, name="rates")
        times = v1.cast(v1.random_poisson(rates, [], rates.dtype, seed=seed), v1.int32)
        rows = v1.repeat(v1.range(v1.shape(times)[0]), times)
        return [v1.gather(each, rows) for each in inputs]


def weighted_resample(inputs, weights, overall_rate, scope=None, mean_decay=0.999, seed=None):
    """Returns ([rows of each input], rates): rows repeated by their weights, and the rate of each row that is left.

    A row's rate is its weight divided by the mean weight, times overall_rate. The mean is a moving average with
    `mean_decay`, in a local variable.
    """
    with v1.name_scope(scope, "weighted_resample", inputs) as inside:
        with v1.variable_scope(scope, "estimate_mean", inputs):
            mean = v1.get_local_variable("estimated_mean", initializer=v1.cast(0, weights.dtype), dtype=weights.dtype)
            mean = moving_averages.assign_moving_average(mean, v1.reduce_mean(weights), mean_decay)
        rates = weights * overall_rate / mean
        rates, *rows = resample_at_rate([rates, *inputs], rates, scope=inside, seed=seed)
        return rows, rates
