"""``treesent curves``."""

from pathlib import Path
from typing import Annotated

import typer

from treesent.cli.options import Overwrite


def curves(
    logs: Annotated[
        list[Path], typer.Argument(metavar="LOG...", help="What train --log wrote, of each run.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A .png or .svg.")],
    overwrite: Overwrite = False,
) -> None:
    """Draw the loss, the figures on dev and the norm of the gradient of a run, or of several in one figure.

    Of a run with --log and --gradients, the norm is drawn for each layer and, of a recurrent network, by the distance
    of its states from the loss: towards the first words the gradient vanishes where it fades, and explodes where it
    grows. Several runs are named by their files.
    """
    from treesent.files import check_outputs
    from treesent.render.curves import draw_curves
    from treesent.render.log import read_log
    from treesent.render.runs import draw_runs
    from treesent.render.style import check_picture

    check_outputs([check_picture(output)], logs, overwrite, make_folders=True)
    if len(logs) == 1:
        draw_curves(read_log(logs[0]), output)
        return
    names = [log.stem for log in logs]
    deepest = max(len(log.parts) for log in logs)
    for n_parts in range(1, deepest + 1):  # as much of a path as tells it from the others
        if len(set(names)) == len(names):
            break
        names = ["/".join(log.parts[-n_parts:]) for log in logs]
    draw_runs({name: read_log(log) for name, log in zip(names, logs, strict=True)}, output)
