"""New weights for a board, over its host link."""

from dataclasses import replace
from typing import Any

from bitformer.boards.host.client import Client, LinkError
from bitformer.boards.protocol import Registers, whole_bytes
from bitformer.hw.design import Design
from bitformer.hw.golden import golden_vectors
from bitformer.hw.lowering.reload import new_images, structure_hash
from bitformer.model.identity import model_hash
from bitformer.model.progress import Progress, silent

__all__ = ["image_bytes", "load_model"]


def image_bytes(design: Design, model: Any, facts: Registers, **lowering: Any) -> bytes:
    """Return the bytes that make a shell around ``design`` run ``model`` instead.

    The words of its stores, then constant registers and golden vectors, of which it has as many as
    before. ``facts`` are the shell's registers; ``lowering`` are the options that the design was
    lowered with. Raises `UserError` for a model that needs other hardware.
    """
    content = b"".join(
        word.to_bytes(whole_bytes(design.stores[name].width), "little")
        for name, words in new_images(design, model, **lowering).items()
        for word in words
    )
    new = replace(facts, model_hash=model_hash(model))
    return content + new.region(golden_vectors(model, facts.vectors))


def load_model(
    client: Client,
    design: Design,
    model: Any,
    *,
    progress: Progress = silent,
    **lowering: Any,
) -> int:
    """Load ``model`` into a board that was built from ``design``; return the bytes that were sent.

    The old model stays live until the new one is there whole and has passed its golden vectors on
    the chip. Raises `LinkError` if the board holds another design or the old model stays, and
    `UserError` for a model that needs other hardware.
    """
    facts = client.read()
    there, here = facts.structure, structure_hash(design)
    if there != here:
        built = f"is built from {there.hex()}" if any(there) else "takes no new weights"
        raise LinkError(f"Board must be built from this design ({here.hex()}), and {built}")
    image = image_bytes(design, model, facts, **lowering)
    client.load(image, progress=progress)
    client.confirm()  # blocks of another program's would be among these, and pass for them
    try:
        client.commit()
    except LinkError:
        # the answer to an earlier try may be what was lost
        if client.read().model_hash != model_hash(model):
            raise
    return len(image)
