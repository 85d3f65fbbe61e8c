"""Make ``doc._.sentiment`` and its kin known to spaCy as soon as spaCy is there.

spaCy and the torch behind it take seconds to import, so ``import treesent`` does not import them: where they are
not yet imported, the extensions are set right after they are.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

_MODULE = "spacy.tokens"


def register_when_spacy_is_there() -> None:
    """Set the extensions now, or when :mod:`spacy.tokens` is imported."""
    if _MODULE in sys.modules:
        _register()
    elif not any(isinstance(finder, _Waiting) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Waiting())


def _register() -> None:
    from treesent.pipeline.extensions import register_extensions

    register_extensions()


class _Waiting(MetaPathFinder):
    """Waits for the import of :mod:`spacy.tokens`, which it leaves to the other finders."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module as the other finders do, with a loader that registers afterwards."""
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Then(spec.loader)
        return spec


class _Then(Loader):
    """Loads a module as another loader does, and registers."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> object:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the other loader."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, then register."""
        self.loader.exec_module(module)
        _register()
