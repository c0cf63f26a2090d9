"""The machine of `test_lifecycle`, driven by chance alone: many more acts on the same few things, with a seed each.

Hypothesis looks for the unusual and tells it shortly; a long story of what is usual comes to the rest. It
took 80 of them until each rule that was broken on purpose was missed: `EXAMPLES=30` tells as many.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import pytest

from registry.oci.digest import Digest
from registry.oci.names import Tag
from tests.contracts.test_collecting import APP, CONFIG, LARGE, OTHER, index
from tests.properties.test_lifecycle import ABOUT, EXAMPLES, SMALLEST, Lifecycle
from tests.properties.test_power_cuts import check, opened

NAMES: Final = (APP, APP, APP, OTHER)
BLOBS: Final = (Digest.of(CONFIG), Digest.of(CONFIG), Digest.of(LARGE))
MANIFESTS: Final = [Digest.of(each) for each in (SMALLEST, SMALLEST, ABOUT, ABOUT, index(SMALLEST))]
LATEST: Final = Tag("latest")
STEPS: Final = 80

Act = Callable[[Lifecycle, random.Random], object]
ACTS: Final[dict[Act, int]] = {
    lambda machine, chance: machine.push_blob(chance.choice(NAMES), chance.choice(BLOBS), None): 4,
    lambda machine, chance: machine.delete_blob(chance.choice(NAMES), chance.choice(BLOBS), None): 3,
    lambda machine, chance: machine.mount(chance.choice(NAMES), chance.choice(BLOBS), chance.choice(NAMES), None): 2,
    lambda machine, chance: machine.ask_for_blob(chance.choice(NAMES), chance.choice(BLOBS), None): 1,
    lambda machine, chance: machine.push_manifest(chance.choice(NAMES), chance.choice(MANIFESTS), None, None): 4,
    lambda machine, chance: machine.push_manifest(chance.choice(NAMES), chance.choice(MANIFESTS), LATEST, None): 2,
    lambda machine, chance: machine.delete_manifest(chance.choice(NAMES), chance.choice(MANIFESTS), None): 5,
    lambda machine, chance: machine.delete_tag(chance.choice(NAMES), LATEST, None): 2,
    lambda machine, chance: machine.restore_manifest(chance.choice(NAMES), chance.choice(MANIFESTS), None): 6,
    lambda machine, chance: machine.restore_tag(chance.choice(NAMES), LATEST, None): 2,
    lambda machine, chance: machine.delete_repository(chance.choice(NAMES), None): 1,
    lambda machine, chance: machine.model.gone and machine.restore_repository(chance.randrange(9), APP, None): 1,
    lambda machine, chance: machine.time_passes(chance.choice([7, 25, 192, 192])): 4,
    lambda machine, _: machine.collect(None): 3,
    lambda machine, _: machine.sweep(None): 1,
}


@pytest.mark.parametrize("seed", range(3 * EXAMPLES))
def test_a_long_story_comes_to_what_the_model_says(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  repeatable
    with opened(Lifecycle) as machine:
        for act in chance.choices(list(ACTS), list(ACTS.values()), k=STEPS):
            act(machine, chance)
            check(machine)
