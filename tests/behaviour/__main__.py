"""Print how a pipeline does on each phenomenon: ``python -m tests.behaviour [PIPELINE]``."""

import sys

import treesent
from tests.behaviour.run import invariances, phenomena


def main():
    """Print a line for each phenomenon, their mean, and one for each invariance."""
    nlp = treesent.load(*sys.argv[1:2])
    figures = list(phenomena(nlp))
    for figure in figures:
        print(f"{figure.name:24}{figure.n:>6}{figure.right:>8.1f}")
    print(f"{'mean':24}{'':>6}{sum(figure.right for figure in figures) / len(figures):>8.1f}")
    for figure in invariances(nlp):
        print(
            f"{'same for all ' + figure.name:24}{figure.n:>6}{figure.right:>8.1f}   moves {figure.shift:.2f}"
        )


if __name__ == "__main__":
    main()
