"""``treesent curves``."""

from pathlib import Path
from typing import Annotated

import typer

from treesent.cli.options import Overwrite


def curves(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="What train --log wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A .png or .svg.")],
    overwrite: Overwrite = False,
) -> None:
    """Draw the loss, the figures on dev and the norm of the gradient of a run.

    Of a run with --log and --gradients, the norm is drawn for each layer and, of a recurrent network, for
    each time step: where it fades towards the first words, the gradient vanishes.
    """
    from treesent.files import check_outputs
    from treesent.render.curves import draw_curves, read_log

    check_outputs([output], [log], overwrite, make_folders=True)
    draw_curves(read_log(log), output)
