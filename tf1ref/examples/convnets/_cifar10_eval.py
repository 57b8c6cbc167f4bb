"""cifar10_eval.py of the tutorial: a program of its own that follows the checkpoints of a training.

    python -m tf1ref.examples.convnets._cifar10_eval FOLDER --steps 2000

The command prints precision@1 for each new checkpoint in FOLDER, from its averages, up to the last step.
"""

import argparse
import tempfile

from tf1ref import console
from tf1ref.data import cifar10 as data
from tf1ref.examples.convnets import _cifar10_precision as evaluation
from tf1ref.examples.convnets import cifar10


def main(arguments=None):
    """Follows the checkpoints of a training. The graph half evaluates, whichever half trains."""
    parser = argparse.ArgumentParser(description="Follows the checkpoints of convnets.cifar10.")
    parser.add_argument("folder", help="where the training writes its checkpoints")
    parser.add_argument("--steps", type=int, default=cifar10.STEPS, help="the last checkpoint's step (%(default)s)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        _, test_file = data.binary_files(scratch)
        evaluator = evaluation.GraphEvaluator(test_file, cifar10.inference, cifar10.BATCH_SIZE, cifar10.IMAGE_SIZE)
        for step, precision in evaluation.follow_graph(evaluator, given.folder, given.steps):
            console.say(f"step {step}: precision @ 1 = {precision:.4f}")


if __name__ == "__main__":
    main()
