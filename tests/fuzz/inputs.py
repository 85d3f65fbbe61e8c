"""The inputs of a kind, each known by the seed, the kind and its index alone."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from tests.fuzz.kinds import Files, Kind
from tests.fuzz.mutate import mutate_files

BLOCK = 128
"""Inputs are made block by block, since hypothesis makes many examples at a time."""


class Inputs:
    """What a kind is tried with."""

    def __init__(self, kind: Kind, seeds: list[Files], seed: int) -> None:
        """Hold what inputs are made from.

        :param kind: the kind.
        :param seeds: its seed files.
        :param seed: of the whole run.
        """
        self.kind, self.seeds, self.seed = kind, seeds, seed

    def block(self, number: int) -> Iterator[tuple[int, Files]]:
        """Give the inputs of a block with their indices; the first of all are the seeds as they are."""
        generated = self._generated(number) if self.kind.generated and number % 32 == 2 else []
        for place in range(BLOCK):
            index = number * BLOCK + place
            yield index, self._one(index, generated[place] if place < len(generated) else None)

    def one(self, index: int) -> Files:
        """Make an input again."""
        return next(files for i, files in self.block(index // BLOCK) if i == index)

    def _one(self, index: int, generated: Files | None) -> Files:
        rng = Random(f"{self.seed}/{self.kind.name}/{index}")
        if index < len(self.seeds):
            return self.seeds[index]
        if generated is not None:
            return mutate_files(generated, self.seeds, rng) if rng.random() < 0.3 else generated
        files = mutate_files(rng.choice(self.seeds), self.seeds, rng)
        return self.kind.mend(files, rng) if self.kind.mend else files

    def _generated(self, number: int) -> list[Files]:
        found: list[Files] = []

        @seeded(Random(f"{self.seed}/{self.kind.name}/block {number}").getrandbits(64))
        @settings(
            max_examples=BLOCK,
            database=None,
            deadline=None,
            derandomize=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(self.kind.generated())
        def collect(files: Files) -> None:
            found.append(files)

        collect()
        return found


def lay_out(files: Files, folder: Path) -> None:
    """Write an input into a folder."""
    for name, data in files.items():
        if not name.startswith("@"):
            path = folder / name
            if "/" in name:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
