"""The picture that circle and dots share. It needs matplotlib (the extra "plots")."""


def boundaries(trace, x, colors, plane):
    """Returns a figure of two panels, without and with L2: the points, and the line where the network's output is .5.

    trace: has final/{mse,l2}/grid, the outputs at the points of `plane`, and final/{mse,l2}/accuracy.
    x: (n, 2). colors: one for each row of x. plane: the coordinates, (2, rows, columns).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    for (name, title), axes in zip({"mse": "without L2", "l2": "with L2"}.items(), figure.subplots(1, 2)):
        axes.scatter(*x.T, color=colors, s=10)
        axes.contour(*plane, trace[f"final/{name}/grid"].reshape(plane[0].shape), levels=[0.5], colors="black")
        axes.set(title=f"{title}: accuracy {trace[f'final/{name}/accuracy']:.3g}", aspect="equal")
    return figure
