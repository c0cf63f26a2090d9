"""Why somebody may do something: the sentence says what is decided, and names what decides it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.api.routes import ROUTES, Endpoint
from registry.core.access import PULL_BY_ANYONE, Access
from registry.core.explaining import NEEDED, Explanation, explained
from registry.core.facts import Caller, Principal, PrincipalKind
from registry.core.granting import GrantService
from registry.core.patterns import Pattern
from registry.core.people import PeopleService
from registry.core.refusals import PrincipalUnknown, Unfit
from registry.core.rights import WORDS, Grant, Right, Rights, parse_actions
from registry.oci.names import RepositoryName
from tests.support.naming import names, patterns, widened
from tests.unit.core.house import APP, House

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NO_GRANT = "no grant to it, to its groups or to anyone says so"
words = st.sampled_from(sorted(WORDS))


def principal(*, is_admin: bool = False, disabled: datetime | None = None) -> Principal:
    return Principal(
        1, "uuid", PrincipalKind.USER, "alice", is_admin, "local", None, "", NOW, disabled, None, 1
    )  # fmt: skip


def grant(text: str) -> Grant:
    """As it is told: `grants @devs pull,push on team/**`."""
    verb, subject, actions, _, pattern = text.split()
    return Grant(subject, Pattern.parse(pattern), parse_actions(actions.split(",")), verb == "denies", "uuid")


def asked(action: str, *grants: str, **who: bool) -> Explanation:
    rights = Rights(tuple(map(grant, grants)), is_admin=who.pop("by_group", False))
    return explained(principal(is_admin=who.get("is_admin", False)), rights, action, APP, is_expired=False)


@pytest.mark.parametrize(
    ("action", "grants", "sentence"),
    [
        ("pull", [], f"alice may not pull team/app: {NO_GRANT}"),
        ("pull", ["grants @devs pull on team/**"], "alice may pull team/app: a grant grants @devs pull on team/**"),
        (
            "pull",
            ["grants alice pull on **", "denies @devs pull on team/*"],
            "alice may not pull team/app: a grant denies @devs pull on team/*",
        ),
        (
            "push",
            ["grants alice pull,push on team/app"],
            "alice may push team/app: a grant grants alice pull,push on team/app",
        ),
        (
            "push",
            ["grants alice pull,create on team/app"],
            (
                "alice may push team/app: a grant grants alice pull,create on team/app; "
                f"tags that are there cannot be moved: {NO_GRANT}"
            ),
        ),
        (
            "push",
            ["grants alice pull,push on team/app", "denies anyone move on **"],
            (
                "alice may push team/app: a grant grants alice pull,push on team/app; "
                "tags that are there cannot be moved: a grant denies anyone move on **"
            ),
        ),
        (
            "create",
            ["grants alice pull,create on team/app"],
            "alice may create team/app: a grant grants alice pull,create on team/app",
        ),
        (
            "push",
            ["grants alice push on team/app"],
            f"alice may not push team/app, which takes pull as well: {NO_GRANT}",
        ),
        (
            "move",
            ["grants alice pull,move on team/app"],
            f"alice may not move team/app, which takes push as well: {NO_GRANT}",
        ),
        (
            "push",
            ["grants alice pull,push on team/app", "denies @devs pull on team/app"],
            "alice may not push team/app, which takes pull as well: a grant denies @devs pull on team/app",
        ),
    ],
)
def test_the_sentence_names_what_decides(action: str, grants: list[str], sentence: str) -> None:
    explanation = asked(action, *grants)
    assert explanation.sentence == sentence
    assert explanation.allowed is ("may not" not in sentence)
    assert explanation.because is None or str(explanation.because) in sentence


def test_the_setting_is_not_called_a_grant() -> None:
    explanation = explained(principal(), Rights((PULL_BY_ANYONE,)), "pull", APP, is_expired=False)
    assert explanation.sentence == "alice may pull team/app: the setting anonymous_pull grants anyone pull on **"


def test_an_administrator_may_do_what_is_denied() -> None:
    denial = "denies alice pull on **"
    assert asked("pull", denial, is_admin=True).sentence == "alice may pull team/app: it is an administrator"
    explanation = asked("pull", denial, by_group=True)
    assert explanation.sentence == "alice may pull team/app: it is in a group of administrators"


@pytest.mark.parametrize(("disabled", "is_expired", "state"), [(NOW, False, "disabled"), (None, True, "expired")])
def test_who_is_disabled_or_expired_may_do_nothing(disabled: datetime | None, is_expired: bool, state: str) -> None:
    who = principal(is_admin=True, disabled=disabled)
    explanation = explained(who, Rights((grant("grants alice pull on **"),)), "pull", APP, is_expired=is_expired)
    assert explanation == Explanation(False, None, f"alice is {state} and may do nothing")


@given(
    names.flatmap(
        lambda name: st.tuples(
            st.just(name),
            st.lists(
                st.builds(
                    Grant, st.sampled_from(["alice", "@devs", "anyone"]), widened(name.text) | patterns,
                    st.lists(words, min_size=1, max_size=3).map(parse_actions), st.booleans(),
                ),
                max_size=6,
            ),
        )
    ),
    words,
    st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_what_is_told_is_what_is_decided(
    asked: tuple[RepositoryName, list[Grant]], action: str, is_admin: bool, by_group: bool
) -> None:
    name, grants = asked
    rights = Rights(tuple(grants), is_admin=by_group)
    explanation = explained(principal(is_admin=is_admin), rights, action, name, is_expired=False)
    caller = Caller(1, "alice", is_admin=is_admin, credential=1, rights=rights)
    decided = [Access().granted(caller, right, name) for right in NEEDED[action]]
    assert explanation.allowed is all(decided)
    assert ("may not" in explanation.sentence) is not explanation.allowed
    moves = Access().granted(caller, Right.MOVE, name)
    assert ("cannot be moved" in explanation.sentence) is (explanation.allowed and action == "push" and not moves)
    if explanation.because is not None:
        assert explanation.because in grants
        assert str(explanation.because) in explanation.sentence


def test_each_word_needs_what_its_requests_demand() -> None:
    demanded = {(route.endpoint, route.method): set(route.rights) for route in ROUTES}
    assert NEEDED.keys() == WORDS.keys()
    assert set(NEEDED["pull"]) == demanded[Endpoint.MANIFEST, "GET"]
    assert set(NEEDED["create"]) == set(NEEDED["push"]) == demanded[Endpoint.MANIFEST, "PUT"]
    assert set(NEEDED["move"]) == {*NEEDED["push"], Right.MOVE}
    assert set(NEEDED["delete"]) == demanded[Endpoint.MANIFEST, "DELETE"]


# Over the facts


def test_an_explanation_is_of_groups_settings_and_ends_as_they_are_now(house: House) -> None:
    people, grants = PeopleService(house.metadata), GrantService(house.metadata)
    people.add_user("alice", house.admin)
    people.add_group("devs", house.admin)
    people.join("@devs", "alice", house.admin)
    grants.put("@devs", "team/**", ["reader"], house.admin)
    assert grants.explain("alice", "pull", APP).allowed
    people.disable("@devs", house.admin)
    assert grants.explain("alice", "pull", APP).sentence == f"alice may not pull team/app: {NO_GRANT}"
    assert GrantService(house.metadata, anonymous_pull=True).explain("alice", "pull", APP).allowed
    robot = people.add_robot("team", "ci", house.admin, lifetime=timedelta(0)).name
    grants.put(robot, "team/**", ["reader"], house.admin)
    assert grants.explain(robot, "pull", APP).sentence == "team+ci is expired and may do nothing"


@pytest.mark.parametrize(
    ("subject", "action", "refusal"),
    [
        ("nobody", "pull", PrincipalUnknown),
        ("(open)", "pull", PrincipalUnknown),
        ("admin", "fly", Unfit),
        ("admin", "*", Unfit),
    ],
)
def test_who_is_nobody_and_what_is_no_action_is_refused(
    house: House, subject: str, action: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        GrantService(house.metadata).explain(subject, action, APP)
