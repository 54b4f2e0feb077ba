"""What a model is called: after its data, unless its configuration was made for them."""

import re
from pathlib import Path

from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.data.named_data import NAMES
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError

__all__ = ["name_after"]

#: Most letters of a file's and of a column's name: the whole still names a Verilog module.
_MOST = 20
#: A shipped name that holds a data set, the sizes, and what else there is to say: bits.
_SHIPPED = re.compile(r"(?P<data>etth1|taxi)-\d+-\d+(?P<bits>(?:-\w+)?)")
#: What the data set is called, where a shipped name has it shorter.
_DATA = {"taxi": "nyc-taxi"}


def name_after(config: TransformerConfig, data: str, dataset: Dataset) -> str:
    """Return the name of ``config`` as it is trained on ``dataset``, which is loaded from ``data``.

    A configuration with a name of its own keeps it. One that is shipped keeps it on a named data
    set, if it was made for that or for none and has its sizes. Else the name is that of the data,
    of the target if the data are a file, and the sizes: ``nyc_taxi-value-48-12``.
    """
    try:
        shipped = named_config(config.name)
    except UserError:
        return config.name
    made_for = _SHIPPED.fullmatch(config.name)
    sizes = (config.window, config.horizon)
    if data in NAMES:
        fits = made_for is None or _DATA.get(made_for["data"], made_for["data"]) == data
        if fits and sizes == (shipped.window, shipped.horizon):
            return config.name
        named = [data]
    else:
        named = list(dict.fromkeys((_plain(_stem(data)), _plain(dataset.target))))
    words = [one for one in named if one] or ["series"]
    found = "-".join([*words, *map(str, sizes)])
    return f"{found}{made_for['bits'] if made_for else ''}"


def _stem(path: str) -> str:
    """Return a file's name without what says that it is a table, and packed."""
    return re.sub(r"\.(csv|tsv|txt|dat)(\.\w+)?$", "", Path(path).name, flags=re.IGNORECASE)


def _plain(text: str) -> str:
    """Return a text with nothing but letters, digits and underscores, the ends no underscores."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return plain[:_MOST].strip("_")
