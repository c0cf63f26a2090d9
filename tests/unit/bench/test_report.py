"""Medians, ratios, verdicts, and the table made of them."""

import json
from collections.abc import Callable

import pytest

from tests.bench.cases import Case
from tests.bench.flows import Same
from tests.bench.measure import Outcome, Turn
from tests.bench.pulling import Asking
from tests.bench.report import Memory, Run, as_json, as_text, number, table, verdict

TIMES = "\N{MULTIPLICATION SIGN}"
Rates = dict[str, list[float]]


@pytest.fixture
def outcome() -> Callable[[Rates], Outcome]:
    """An outcome of a case that wants 3 times the peer's rate."""

    def build(rates: Rates) -> Outcome:
        case = Case("heads", "HEAD of something", 3, Asking(lambda _target, _material: Same("HEAD", "/", 0), 8))
        turns = {label: tuple(Turn(rate, 2 / rate, 0.25, 0.5) for rate in of) for label, of in rates.items()}
        return Outcome(case, turns)

    return build


def test_the_figure_of_a_registry_is_the_median_of_its_turns(outcome: Callable[[Rates], Outcome]) -> None:
    taken = outcome({"ours": [900, 1200, 1000], "peer": [100, 500, 400]})

    assert taken.rate("ours") == 1000
    assert taken.ratio("peer") == 2.5


def test_what_one_unit_costs_is_unknown_for_a_registry_elsewhere(outcome: Callable[[Rates], Outcome]) -> None:
    taken = outcome({"ours": [1000]})

    assert taken.cost("ours") == pytest.approx(0.002)
    assert Outcome(taken.case, {"ours": (Turn(1000, None, 0, 0),)}).cost("ours") is None


@pytest.mark.parametrize(("ratio", "word"), [(3, "ok"), (3.01, "ok"), (2.99, "below")])
def test_a_target_is_reached_exactly_or_not(ratio: float, word: str) -> None:
    assert verdict(ratio, 3) == word


def test_the_verdict_is_on_the_first_peer(outcome: Callable[[Rates], Outcome]) -> None:
    header, row = table([outcome({"ours": [1000], "slow": [100], "fast": [1000]})])

    assert " ".join(header.split()) == "case unit ours slow ratio fast ratio target cpu ours cpu slow cpu fast"
    assert f"1 000 100 10.00 {TIMES} 1 000 1.00 {TIMES} ≥ 3 {TIMES} ok" in " ".join(row.split())


def test_a_registry_alone_is_measured_without_a_verdict(outcome: Callable[[Rates], Outcome]) -> None:
    _, row = table([outcome({"ours": [1000]})])

    assert "1 000" in row
    assert "ok" not in row
    assert "below" not in row


def test_columns_stand_under_each_other(outcome: Callable[[Rates], Outcome]) -> None:
    rows = table([outcome({"ours": [9], "peer": [3]}), outcome({"ours": [90_000], "peer": [45_000]})])

    assert len({row.index(TIMES) for row in rows[1:]}) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(0.4249, "0.42"), (9.87, "9.87"), (98.74, "98.7"), (987.4, "987"), (12345.6, "12 346")]
)
def test_numbers_show_the_digits_that_matter(value: float, text: str) -> None:
    assert number(value) == text


def test_memory_is_told_per_process_and_in_sum(outcome: Callable[[Rates], Outcome]) -> None:
    run = Run(("a machine",), (outcome({"ours": [1], "peer": [1]}),), (Memory("ours", (30 << 20, 50 << 20)),))

    assert "peak memory of ours: 80 MiB (30 + 50)" in as_text(run)


def test_what_load_and_strangers_took_of_the_machine_is_told(outcome: Callable[[Rates], Outcome]) -> None:
    text = as_text(Run((), (outcome({"ours": [1], "peer": [1]}),), ()))

    assert "of the load, at most in a turn: 25% (heads) to 25% (heads) of one core" in text
    assert "of all that is not part of the run: 50% (heads) to 50% (heads) of one core" in text


def test_notes_of_a_case_reach_the_reader(outcome: Callable[[Rates], Outcome]) -> None:
    taken = outcome({"ours": [1]})
    noted = Outcome(taken.case, taken.turns, ("tag page: peer holds only 2000 tags",))

    assert "tag page: peer holds only 2000 tags" in as_text(Run((), (noted,), ())).splitlines()


def test_the_json_holds_every_turn(outcome: Callable[[Rates], Outcome]) -> None:
    run = Run(("a machine",), (outcome({"ours": [900, 1200, 1000], "peer": [100, 500, 400]}),), ())

    (case,) = json.loads(as_json({"folder": run}))["folder"]["cases"]
    assert [turn["rate"] for turn in case["registries"]["ours"]["turns"]] == [900, 1200, 1000]
    assert case["ratios"] == {"peer": 2.5}
    assert (case["target"], case["verdict"]) == (3, "below")
