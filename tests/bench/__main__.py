"""The command: `python -m tests.bench`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.bench.cases import Case, cases_of, chosen
from tests.bench.collecting import disturbed_and_quiet
from tests.bench.limiting import limited_and_free
from tests.bench.material import Material, Sizes
from tests.bench.measure import DISTURBED, Pace, take_turns
from tests.bench.people import our_callers, peer_with_passwords
from tests.bench.processes import file_system, listeners, peak_memory, tree
from tests.bench.report import Memory, Run, as_json, as_text
from tests.bench.scenes import LIMITED, MEANWHILE, PEOPLE, SCENES, Ground, NoScene, ground
from tests.bench.servers import PEER, NotServing, our_registry, peer_registry
from tests.bench.target import OURS, Target, WrongAnswer

START = "start"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 whatever the ratios are; 1 when a registry answered wrongly or did not start."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        scenes = _scenes(options)
        options.ours, options.peer = _urls(options.ours), [Target.parse(url) for url in options.peer]
    except ValueError as wrong:
        parser.error(str(wrong))
    if options.list:
        lines = (f"{scene:10} {case.name:22} {case.title}\n" for scene, cases in scenes.items() for case in cases)
        sys.stdout.write("".join(lines))
        return 0
    runs: dict[str, Run] = {}
    try:
        for scene, cases in scenes.items():
            runs[scene] = _measured(options, scene, cases)
            sys.stdout.write(f"{as_text(runs[scene])}\n")
            sys.stdout.flush()
    except (WrongAnswer, NotServing, NoScene) as failure:
        _tell(str(failure))
        return 1
    if options.json:
        options.json.write_text(as_json(runs) + "\n")
    return 0


def _scenes(options: argparse.Namespace) -> dict[str, tuple[Case, ...]]:
    """The scenes with their chosen cases, but for those that have none. Raises: ValueError."""
    wanted = options.scene or SCENES
    every = {scene: cases_of(scene, options.connections) for scene in wanted}
    picked = set(chosen([case for cases in every.values() for case in cases], options.only))
    left = {scene: tuple(case for case in cases if case in picked) for scene, cases in every.items()}
    return {scene: cases for scene, cases in left.items() if cases}


def _measured(options: argparse.Namespace, scene: str, cases: Iterable[Case]) -> Run:
    """Registries up, every case through, registries down."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="entrepot-bench-", dir=options.folder)))
        ready = stack.enter_context(ground(scene, folder))
        targets = _distinct(_targets(options, scene, folder, ready, stack))
        sizes = Sizes.rehearsal() if options.rehearse else Sizes()
        material = Material(replace(sizes, garbage=options.garbage or sizes.garbage))
        pace = Pace(options.rounds, options.seconds, options.attempts)
        turns = [take_turns(case, targets, material, pace, _tell) for case in cases]
        memory = [Memory(target.label, tuple(map(peak_memory, tree(target.processes)))) for target in targets]
        described = [f"scene: {scene}. {ready.described}".rstrip(". ")]
        settings = (*described, *map(_described, targets), *_conditions(options, folder))
        return Run(settings, tuple(turns), tuple(told for told in memory if told.peaks))


def _targets(
    options: argparse.Namespace, scene: str, folder: Path, ready: Ground, stack: ExitStack
) -> Iterable[Target]:
    """Ours first."""
    commands = options.peer_command or ([] if options.peer or options.alone else _usual_peer())
    if scene == MEANWHILE:
        yield from stack.enter_context(disturbed_and_quiet(folder / "ours", options.workers, ready))
        return
    if scene == LIMITED:
        yield from stack.enter_context(limited_and_free(folder / "ours", options.workers, ready))
        return
    if scene == PEOPLE:
        yield from stack.enter_context(our_callers(folder / "ours", options.workers))
        peer = peer_with_passwords
    else:
        yield options.ours or stack.enter_context(our_registry(folder / "ours", options.workers, ready))
        peer = partial(peer_registry, ground=ready)
    for number, command in enumerate(commands):
        yield stack.enter_context(peer(command, folder / f"peer-{number}"))
    yield from options.peer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="How fast this registry is, beside another."
    )
    parser.add_argument(
        "--ours", default=START, metavar="URL|start", help="where this registry listens; start: a fresh one"
    )
    parser.add_argument(
        "--workers", type=_positive, metavar="N", help="how many it is started with (what it takes itself)"
    )
    parser.add_argument(
        "--peer", action="extend", nargs="+", default=[], metavar="URL", help="a registry to compare with"
    )
    parser.add_argument(
        "--peer-command",
        action="append",
        default=list(filter(None, [os.environ.get("BENCH_PEER_COMMAND")])),
        metavar="COMMAND",
        help="start a peer; {port}, {data} and {config} are filled in (usual: docker-registry, if it is on the path)",
    )
    parser.add_argument("--only", action="extend", nargs="+", default=[], metavar="NAME", help="cases that begin so")
    parser.add_argument(
        "--scene",
        action="extend",
        nargs="+",
        choices=SCENES,
        help="what registries stand on: a folder, the same asked with credentials, PostgreSQL and S3, the same with "
        "redirects, a folder that is collected, pulls from it meanwhile, and a folder with quotas (all)",
    )
    parser.add_argument("--alone", action="store_true", help="start no peer that is not named")
    parser.add_argument("--list", action="store_true", help="print the cases and leave")
    parser.add_argument("--seconds", type=_positive, default=3, help="length of one turn (3)")
    parser.add_argument("--rounds", type=_positive, default=3, help="turns of each registry, their median counts (3)")
    parser.add_argument(
        "--attempts",
        type=_positive,
        default=1,
        metavar="N",
        help=f"take a turn up to N times while others use over {DISTURBED} of a core, keep the least disturbed (1)",
    )
    parser.add_argument("--connections", type=_several, default=(8, 64), metavar="N,…", help="at once (8,64)")
    parser.add_argument("--garbage", type=_positive, metavar="N", help="blobs to be collected (100000)")
    parser.add_argument("--folder", type=Path, help="where data of started registries goes for the while: some 40 GiB")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every turn there too")
    parser.add_argument("--rehearse", action="store_true", help="small sizes: shows that all works, measures nothing")
    return parser


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _several(text: str) -> tuple[int, ...]:
    return tuple(map(_positive, text.split(",")))


def _urls(ours: str) -> Target | None:
    return None if ours == START else replace(Target.parse(ours), label=OURS)


def _usual_peer() -> list[str]:
    return [PEER] if shutil.which(PEER.split()[0]) else []


def _distinct(targets: Iterable[Target]) -> list[Target]:
    """With labels that differ, and with the processes of those we did not start, where they run on this machine."""
    distinct: list[Target] = []
    for target in targets:
        label, number = target.label, 2
        while any(label == other.label for other in distinct):
            label, number = f"{target.label}#{number}", number + 1
        processes = target.processes or listeners(target.host, target.port)
        distinct.append(replace(target, label=label, processes=processes))
    return distinct


def _described(target: Target) -> str:
    where = f"{target.label}: {target.host}:{target.port}"
    if target.storage is None:
        return f"{where}, started by someone else" + (", as it was configured" if target.processes else ", elsewhere")
    return f"{where}, {target.described}, processes: {len(tree(target.processes))}"


def _conditions(options: argparse.Namespace, folder: Path) -> tuple[str, ...]:
    client = "wrk" if shutil.which("wrk") else "this program's own client (wrk is not installed)"
    return (
        f"machine: {os.cpu_count()} cores; data of started registries on {file_system(folder)}",
        f"turns: {options.rounds} of {options.seconds} s each, in turn; load by {client}; HEAD by our own always",
        *(["REHEARSAL: sizes are small, the figures mean nothing"] if options.rehearse else []),
    )


def _tell(what: str) -> None:
    sys.stderr.write(what + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    # Ended from outside, too, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
