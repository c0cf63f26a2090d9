"""Every order in which several actors may take their steps, up to a number of preemptions; nothing of threads or SQL.

A *schedule* tells whose turn it was at each step: `0001110`. Whoever has the turn keeps it until it waits or is done;
taking it away before that is a *preemption*. Most races need one or two (Musuvathi and Qadeer, PLDI 2007), and so few
are few enough to try them all:

    schedules = Schedules(preemptions=2)
    while schedules.has_another():
        while somebody is ready:
            turn = schedules.turn(those who are ready, may_matter=True)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Choice:
    """At one step: whose turn it is, whose it is still to be, and who had the turn and could keep it."""

    turn: int
    others: list[int]
    owner: int | None
    spent: int
    """Preemptions before this step."""

    @property
    def spent_with_it(self) -> int:
        return self.spent + (self.owner is not None and self.turn != self.owner)


@dataclass(slots=True)
class Schedules:
    """Depth first; each repeats the former one up to the last step at which another turn is left to try."""

    preemptions: int
    twins: Mapping[int, int] = field(default_factory=dict)
    """Whoever does the same as one before it: which of the two begins makes no difference, and so it never does."""
    _choices: list[_Choice] = field(default_factory=list)
    _step: int = -1

    def has_another(self) -> bool:
        """Begin the next schedule, if there is one that was not tried yet."""
        is_first = self._step < 0
        self._step = 0
        if is_first:
            return True
        while self._choices and not self._choices[-1].others:
            self._choices.pop()
        if self._choices:
            self._choices[-1].turn = self._choices[-1].others.pop()
        return bool(self._choices)

    def turn(self, ready: Sequence[int], *, may_matter: bool) -> int:
        """Whose it is, among those who are ready; `may_matter`: whether to preempt here can make a difference."""
        if self._step == len(self._choices):
            self._choices.append(self._new_choice(ready, may_matter=may_matter))
        turn = self._choices[self._step].turn
        self._step += 1
        assert turn in ready, "the same steps led elsewhere than the last time"
        return turn

    def _new_choice(self, ready: Sequence[int], *, may_matter: bool) -> _Choice:
        ready = [each for each in ready if self._may_have_it(each)]
        former = self._choices[-1] if self._choices else None
        spent = former.spent_with_it if former else 0
        if former is None or former.turn not in ready:
            return _Choice(ready[0], list(ready[1:]), None, spent)
        can_preempt = may_matter and spent < self.preemptions
        others = [each for each in ready if each != former.turn] if can_preempt else []
        return _Choice(former.turn, others, former.turn, spent)

    def _may_have_it(self, number: int) -> bool:
        begun = {each.turn for each in self._choices}
        return number in begun or number not in self.twins or self.twins[number] in begun
