"""``[training]`` of a language model."""

from dataclasses import field

from pydantic import NonNegativeInt, PositiveInt

from treesent.config import section
from treesent.errors import RecipeError
from treesent.models.language.scheduled_sampling import ScheduledSampling
from treesent.training.sections import TrainingConfig


@section
class LanguageTrainingConfig(TrainingConfig):
    """``[training]`` of a language model: that of every model, and a few more settings."""

    metric: str = "perplexity"
    """``perplexity``, ``bits_per_character`` for a model of characters, or ``free_perplexity``."""
    window: PositiveInt = 64
    """Symbols per step in each of ``batch_size`` lanes: the length of truncated back-propagation through time.
    The states are carried over to the next window."""
    epoch_steps: NonNegativeInt = 0
    """Windows between evaluations on dev; 0 for a whole pass over the texts."""
    eval_texts: NonNegativeInt = 0
    """Number of dev texts in these evaluations, 0 for all."""
    final_texts: NonNegativeInt = 0
    """Number of dev texts in the evaluation after the last epoch, 0 for all."""
    free_running: bool = False
    """Also evaluate the model on its own samples, which ``free_perplexity`` needs."""
    scheduled_sampling: ScheduledSampling = field(default_factory=ScheduledSampling)

    def __post_init__(self) -> None:
        # A dataclass with slots is made anew, which the short form of super() does not follow.
        TrainingConfig.__post_init__(self)
        if self.metric == "free_perplexity" and not self.free_running:
            raise RecipeError("metric is 'free_perplexity', but free_running is false; set it to true")
        if self.accumulate > 1:
            raise RecipeError(
                f"accumulate is {self.accumulate}, but a window continues the one before; must be 1 (make window or "
                "batch_size smaller)"
            )
