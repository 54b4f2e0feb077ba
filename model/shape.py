"""The shape of a Transformer: how large its parts are, and of which kind; not how many bits."""

from dataclasses import dataclass

from bitformer.model.calendar import ROWS, clock_rows
from bitformer.model.errors import UserError
from bitformer.model.nonlinearity import NONLINEARITIES, Nonlinearity
from bitformer.model.operations.decide import MOST_CLASSES
from bitformer.model.operations.judge import MOST_JUDGED
from bitformer.model.plain import shown
from bitformer.model.precision import (
    COMPONENTS,
    DECODER_COMPONENTS,
    PATH_COMPONENTS,
    TOKEN_COMPONENTS,
)
from bitformer.model.shape_checks import check_norms, check_scaling, check_tokens
from bitformer.model.stream_shape import check_stream, tokens_seen

__all__ = ["BLOCKS", "CLASSES", "MOST", "TASKS", "Shape", "check_choices", "check_positive"]

#: What stands before the feed-forward network in a layer: a sublayer over tokens, or none.
BLOCKS = ("attention", "mixer", "mlp")

#: What a model is for: the next values of a series, the class of a window, or what is unusual.
TASKS = ("forecast", "classify", "detect")
#: Fewest and most classes that a model tells apart.
CLASSES = (2, MOST_CLASSES)

#: Positive integers, and the most of each. A link counts the numbers of a window and of a forecast
#: in 16 bits.
MOST = {
    **dict.fromkeys(("window", "inputs", "horizon", "patch", "ffn"), 65535),
    "targets": 256,
    "d_model": 256,
    "heads": 256,
    "layers": 64,
}


def check_positive(name: str, value: object) -> None:
    """Raise :class:`UserError` unless ``value`` is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{name} must be a positive integer, not {shown(value)}")


def check_choices(owner: object, **choices: tuple[object, ...]) -> None:
    """Raise :class:`UserError` for a field of ``owner`` that is none of its ``choices``."""
    for name, allowed in choices.items():
        if getattr(owner, name) not in allowed:
            raise UserError(f"{name} must be one of {allowed}, not {getattr(owner, name)!r}")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes and kinds of an encoder, or of an encoder and a decoder.

    Parameters
    ----------
    window : steps of the input window.
    inputs : channels of a step.
    horizon : output values of a target; of a classifier, its classes, each of which has a score; of
        a detector, the numbers of a target that it judges by comparing them with what came.
    patch : steps in a token; must divide ``window``, unless there is a ``patch_stride``.
    patch_stride : steps from a token's first to that of the next, so that tokens overlap or leave
        steps out; the last one ends with the window. 0: ``patch``.
    d_model, layers, heads, ffn : width, encoder layers, attention heads, hidden width of the FFN.
    block : what a layer is: ``"attention"`` and an FFN, ``"mixer"`` for a network over the tokens
        of each feature and an FFN, ``"mlp"`` for an FFN alone. Heads concern only attention, which
        a decoder needs.
    mixing : hidden width of a mixer's network over tokens; 0: ``ffn``.
    norm : ``"batch"`` or ``"layer"``.
    pre_norm : normalise what a sublayer reads, ``x + f(norm(x))``, not its sum, ``norm(x + f(x))``.
    activation : ``"relu"`` or ``"gelu"``, between the two layers of an FFN.
    fused : attention without weights for keys, ``(x A) x^T``: one product instead of that of the
        weights for queries and keys; with one head.
    pooling : what the output layer reads: the ``"mean"`` over tokens, all of them (``"flatten"``),
        or the ``"last"``.
    final_norm : normalise what the layers leave once more; with ``pre_norm``.
    norm_eps : what is added to a variance before its root is taken, in floats; integers need none.
    position : ``"sinusoidal"`` or ``"learned"`` position table; ``"relative"`` with ``stream``, a
        bias of logits for each distance of two tokens, learned by each head.
    subtract_last : subtract the window's last step before and add the target's back after.
    target_channel : channel of ``inputs`` that is added back.
    targets, target_channels : series that are forecast, ``horizon`` values of each, one series
        after the other; of several, the channels of ``inputs`` that are added back, one for each,
        by default the first ones. Not to classify.
    causal : a token of the encoder attends to itself and those before it alone.
    stream : the model is run by steps, of a patch each, and keeps what it needs of the last
        ``window``: :mod:`bitformer.model.stream_shape`. With ``subtract_last``, the step before
        each patch is subtracted from it.
    decoder_layers : 0 for an encoder alone.
    linear_path : add a linear layer from the whole window straight to the forecast, beside the
        network; not with a decoder.
    calendar : numbers of the time of the window's last step that add rows of tables: of ``"hour"``
        and ``"weekday"`` those that are wanted, in this order.
    task : ``"forecast"``, ``"classify"`` a window, or ``"detect"`` what is unusual. To classify,
        nothing is added back, and there is no decoder; to detect, there is no decoder.

    window_scaling : what is added to the variance of a window that is scaled by its own mean and
        variance before and after the network, of one input and target; 0: no window is scaled.

    Raises
    ------
    UserError
        For a size or a kind that no model has, or sizes that do not go together.
    """

    window: int
    inputs: int = 1
    horizon: int = 1
    patch: int = 1
    d_model: int
    layers: int = 1
    heads: int = 1
    ffn: int
    norm: str = "layer"
    pooling: str = "flatten"
    position: str = "sinusoidal"
    subtract_last: bool = False
    target_channel: int = 0
    decoder_layers: int = 0
    linear_path: bool = False
    calendar: tuple[str, ...] = ()
    pre_norm: bool = False
    block: str = "attention"
    mixing: int = 0
    activation: str = "relu"
    fused: bool = False
    task: str = "forecast"
    targets: int = 1
    target_channels: tuple[int, ...] = ()
    patch_stride: int = 0
    final_norm: bool = False
    norm_eps: float = 1e-5
    window_scaling: float = 0.0
    causal: bool = False
    stream: bool = False

    def __post_init__(self):
        for name, most in MOST.items():
            value = getattr(self, name)
            check_positive(name, value)
            if value > most:
                raise UserError(f"{name} must be at most {most}, not {shown(value)}")
        check_choices(
            self,
            norm=("batch", "layer"),
            pooling=("mean", "flatten", "last"),
            position=("sinusoidal", "learned", "relative"),
            causal=(False, True),
            stream=(False, True),
            subtract_last=(False, True),
            linear_path=(False, True),
            pre_norm=(False, True),
            block=BLOCKS,
            activation=tuple(NONLINEARITIES),
            fused=(False, True),
            final_norm=(False, True),
            task=TASKS,
        )
        if self.calendar != tuple(name for name in ROWS if name in self.calendar):
            raise UserError(f"calendar must be of {list(ROWS)}, in this order, not {self.calendar}")
        check_tokens(self)
        if self.d_model % self.heads:
            raise UserError(f"heads must divide d_model ({self.d_model}), not be {self.heads}")
        self._check_targets()
        check_norms(self)
        check_scaling(self)
        check_stream(self)
        self._check_mixing()
        self._check_fused()
        self._check_decoder()
        if self.task == "classify":
            self._check_classes()
        if self.task == "detect":
            self._check_judged()

    def _check_targets(self):
        if self.targets > 1 and self.task == "classify":
            raise UserError(
                f"targets must be 1 with task {self.task}, not {self.targets}: its horizon counts"
                " all of its outputs"
            )
        if self.outputs > MOST["horizon"]:
            raise UserError(
                f"horizon times targets must be at most {MOST['horizon']}, not"
                f" {self.horizon} * {self.targets}"
            )
        channels = self.target_channels
        if channels and (self.targets == 1 or len(channels) != self.targets):
            must = f"{self.targets} channels" if self.targets > 1 else "empty"
            raise UserError(
                f"target_channels must be {must} with {self.targets} target(s), not"
                f" {list(channels)}"
            )
        if not self.subtract_last:
            return
        for channel in self.added_channels:
            if 0 <= channel < self.inputs:
                continue
            if self.targets == 1:
                raise UserError(
                    f"target_channel must be a channel below {self.inputs}, not {channel}"
                )
            raise UserError(
                f"target_channels must be channels below {self.inputs}, one for each target, not"
                f" {list(self.added_channels)}"
            )

    def _check_judged(self):
        if self.outputs > MOST_JUDGED:
            each = f", {self.targets} times" if self.targets > 1 else ""
            raise UserError(
                f"horizon must be the numbers that are judged, 1 to {MOST_JUDGED}, with task"
                f" detect, not {self.horizon}{each}"
            )
        if self.decoder_layers:
            raise UserError(
                f"decoder_layers must be 0 with task detect, not {self.decoder_layers}: what it"
                " judges is one row"
            )

    def _check_classes(self):
        least, most = CLASSES
        if not least <= self.horizon <= most:
            raise UserError(
                f"horizon must be the number of classes, {least} to {most}, with task classify, not"
                f" {self.horizon}"
            )
        if self.decoder_layers:
            raise UserError(
                f"decoder_layers must be 0 with task classify, not {self.decoder_layers}: its"
                " scores are one row"
            )
        if self.calendar:
            raise UserError(
                f"calendar must be empty with task classify, not {list(self.calendar)}: a class is"
                " told by its window alone"
            )

    def _check_mixing(self):
        mixing, most = self.mixing, MOST["ffn"]
        if not isinstance(mixing, int) or isinstance(mixing, bool) or not 0 <= mixing <= most:
            raise UserError(f"mixing must be 0 to {most}, not {shown(mixing)}")
        if mixing and self.block != "mixer":
            raise UserError(
                f"mixing must be 0 with block {self.block}, not {mixing}:"
                ' give "mixing": 0 or "block": "mixer"'
            )

    def _check_fused(self):
        if self.fused and self.block != "attention":
            raise UserError(
                f"fused must be false with block {self.block}, which has no keys, not true:"
                ' give "fused": false or "block": "attention"'
            )
        if self.fused and self.heads != 1:
            raise UserError(
                "heads must be 1 with fused, whose one weight serves one head, not"
                f' {self.heads}: give "heads": 1 or "fused": false'
            )

    def _check_decoder(self):
        layers = self.decoder_layers
        if not isinstance(layers, int) or isinstance(layers, bool) or layers < 0:
            raise UserError(f"decoder_layers must be 0 or a positive integer, not {shown(layers)}")
        if layers > MOST["layers"]:
            raise UserError(f"decoder_layers must be at most {MOST['layers']}, not {shown(layers)}")
        if not layers:
            return
        if self.horizon % self.patch or self.horizon > self.window:
            raise UserError(
                f"horizon must be a multiple of patch ({self.patch}) and at most window"
                f" ({self.window}) with a decoder, not {self.horizon}"
            )
        if self.linear_path:
            raise UserError("linear_path must be false with a decoder, not true")
        if self.block != "attention":
            raise UserError(
                f"block must be attention with a decoder, not {self.block}: try --block attention,"
                " or a --config without a decoder"
            )
        if self.pooling != "flatten":
            raise UserError(f"pooling must be flatten with a decoder, not {self.pooling!r}")

    @property
    def outputs(self) -> int:
        """Output values of all targets."""
        return self.horizon * self.targets

    @property
    def added_channels(self) -> tuple[int, ...]:
        """The channel that is added back to each target, where the last step is subtracted."""
        if self.targets == 1:
            return (self.target_channel,)
        return self.target_channels or tuple(range(self.targets))

    @property
    def tokens(self) -> int:
        """Rows that a token attends to, and that the encoder sees; of a stream, with its ring."""
        if self.patch_stride:
            return (self.window - self.patch) // self.patch_stride + 1
        return self.window // self.patch

    @property
    def tokens_seen(self) -> int:
        """Rows of the encoder where all that a forecast depends on is computed anew."""
        return tokens_seen(self) if self.stream else self.tokens

    @property
    def rows_seen(self) -> int:
        """Steps of a window that holds all that a forecast depends on."""
        return self.tokens_seen * self.patch if self.stream else self.window

    @property
    def clock_rows(self) -> int:
        """Rows behind the window's own that hold the time."""
        return clock_rows(self.calendar, self.inputs)

    @property
    def judged_rows(self) -> int:
        """Rows behind the window's own, and behind the time, that hold what a detector judges."""
        return -(-self.outputs // self.inputs) if self.task == "detect" else 0

    @property
    def decoder_tokens(self) -> int:
        """Rows of the decoder, and of each target's output: 1 without a decoder."""
        return self.horizon // self.patch if self.decoder_layers else 1

    @property
    def token_inputs(self) -> int:
        """Values in a token."""
        return self.patch * self.inputs

    @property
    def head_inputs(self) -> int:
        """Inputs of the output layer, for each of its rows."""
        one_row = self.pooling != "flatten" or self.decoder_layers
        return self.d_model * (1 if one_row else self.tokens)

    @property
    def token_ffn(self) -> int:
        """Hidden width of a mixer's network over tokens."""
        return self.mixing or self.ffn

    @property
    def components(self) -> tuple[str, ...]:
        """Names of its components."""
        left_out = TOKEN_COMPONENTS if self.block == "mlp" else ()
        found = tuple(name for name in COMPONENTS if name not in left_out)
        found += DECODER_COMPONENTS if self.decoder_layers else ()
        return found + (PATH_COMPONENTS if self.linear_path else ())

    @property
    def nonlinearity(self) -> Nonlinearity:
        """The function between the two layers of a feed-forward network."""
        return NONLINEARITIES[self.activation]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference, of a stream one step (pooling not counted)."""
        n, m, d = self.tokens, self.decoder_tokens, self.d_model
        rows = 1 if self.stream else n
        pairs = sum(range(n + 1)) if self.causal and not self.stream else rows * n
        keys = 0 if self.fused else d * d  # of a row
        over_tokens = {
            "attention": rows * (3 * d * d + keys) + 2 * pairs * d,
            "mixer": 2 * n * d * self.token_ffn + n * d * d,
            "mlp": 0,
        }
        layer = over_tokens[self.block] + 2 * rows * d * self.ffn
        total = rows * self.token_inputs * d + self.layers * layer
        if not self.decoder_layers:
            path = self.window * self.inputs if self.linear_path else 0
            return total + (self.head_inputs + path) * self.outputs
        own = m * (3 * d * d + keys) + m * (m + 1) * d  # row i attends to i + 1 rows
        context = 2 * m * d * d + n * (d * d + keys) + 2 * m * n * d
        layer = own + context + 2 * m * d * self.ffn
        total += m * self.token_inputs * d + self.decoder_layers * layer
        return total + self.head_inputs * self.outputs
