"""`/projects/{project}/robots`: what signs in for a machine, and belongs to a project."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from registry.admin import principals
from registry.admin.asking import Admin, Signed, refusals
from registry.admin.paging import Page, Paged
from registry.admin.texts import Description, Instant, Name, Project, Strict
from registry.admin.versions import Conditional, answered
from registry.auth.giving import made
from registry.core.administration import demand_no_limits, may_administer
from registry.core.facts import Caller, CredentialKind, Principal, PrincipalKind
from registry.core.patterns import Pattern
from registry.core.people_put import Wanted
from registry.core.principal_names import robot_name
from registry.core.refusals import PrincipalUnknown

router = APIRouter(prefix="/projects/{project}/robots", tags=["robots"])


class Robot(BaseModel):
    """What signs in for a machine."""

    name: str = Field(description="under which it signs in: project, plus, name")
    description: str
    disabled: bool
    created: datetime
    expires: datetime | None

    @classmethod
    def of(cls, robot: Principal) -> Self:
        """As it is shown."""
        return cls(
            name=robot.name,
            description=robot.description,
            disabled=robot.disabled is not None,
            created=robot.created,
            expires=robot.expires,
        )


class RobotWanted(Strict):
    """A robot as it is to be; what is left out is put to its default."""

    description: Description = ""
    disabled: bool = False
    expires: Instant | None = None


class RobotSecret(BaseModel):
    """What a robot signs in with, told of once."""

    name: str
    secret: str


@router.get("", summary="Robots of a project, by name", responses=refusals(404))
async def list_robots(project: Project, admin: Admin, caller: Signed, paging: Paged) -> Page[Robot]:
    """For whoever administers the project."""
    _demand(caller, project)
    found = await admin.ask(admin.people.robots, project, paging.after, paging.more)
    return paging.page(found, Robot.of, lambda robot: robot.name.removeprefix(f"{project}+"))


@router.get("/{name}", summary="One robot", responses=refusals(404))
async def get_robot(project: Project, name: Name, admin: Admin, caller: Signed, response: Response) -> Robot:
    """For whoever administers the project."""
    _demand(caller, project)
    robot = await admin.ask(principals.get, admin, PrincipalKind.ROBOT, robot_name(project, name))
    answered(response, robot)
    return Robot.of(robot)


@router.put(
    "/{name}",
    summary="Make a robot, or put one as it is to be",
    responses={201: {"model": Robot, "description": "Made"}, **refusals(404, 409, 412)},
)
async def put_robot(
    project: Project,
    name: Name,
    wanted: RobotWanted,
    admin: Admin,
    caller: Signed,
    condition: Conditional,
    response: Response,
) -> Robot:
    """For whoever administers the project. A new one has no secret yet, and may do nothing yet."""
    _demand(caller, project)
    as_wanted = Wanted(wanted.description, disabled=wanted.disabled, expires=wanted.expires)
    fit = robot_name(project, name)
    robot, is_new = await admin.ask(principals.put_whole, admin, fit, as_wanted, caller, condition)
    answered(response, robot, is_new=is_new)
    return Robot.of(robot)


@router.delete("/{name}", summary="Remove a robot for good", status_code=204, responses=refusals(404, 412))
async def delete_robot(project: Project, name: Name, admin: Admin, caller: Signed, condition: Conditional) -> None:
    """For whoever administers the project."""
    _demand(caller, project)
    fit = robot_name(project, name)
    await admin.ask(principals.remove, admin, PrincipalKind.ROBOT, fit, caller, condition)


@router.post("/{name}/secret", summary="Give a robot another secret", responses=refusals(404, 409))
async def rotate_secret(
    project: Project, name: Name, admin: Admin, caller: Signed, keep_former: bool = False
) -> RobotSecret:
    """For whoever administers the project. Those it had end, unless they are kept; the new one is told of once."""
    _demand(caller, project)
    robot, (text, kept) = robot_name(project, name), made(CredentialKind.TOKEN)
    await admin.ask(admin.people.rotate, robot, kept, caller, keep_former=keep_former)
    return RobotSecret(name=robot, secret=text)


def _demand(caller: Caller, project: str) -> None:
    """To anybody else the project is not there. Raises: Denied, PrincipalUnknown."""
    demand_no_limits(caller)
    if not may_administer(caller, Pattern(f"{project}/**")):
        raise PrincipalUnknown(project=project)
