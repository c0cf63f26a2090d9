"""What administration refuses: of people, robots, groups, grants, credentials and rules."""

from __future__ import annotations

from registry.oci.errors import Denied, RegistryError


class PrincipalUnknown(RegistryError):
    """No user, group or robot of this name."""

    status, message = 404, "no such user, group or robot"


class ProjectUnknown(RegistryError):
    """No such project: nobody has pushed to it."""

    status, message = 404, "no such project"


class GrantUnknown(RegistryError):
    """No such grant."""

    status, message = 404, "no such grant"


class TagRuleUnknown(RegistryError):
    """No such rule of this kind."""

    status, message = 404, "no such rule"


class TooManyRules(RegistryError):
    """More of one kind than a project may have in force; `detail` names the limit."""

    status, message = 409, "too many rules are in force: take back or disable some"


class CredentialUnknown(RegistryError):
    """No such credential of this principal, or it was taken back before."""

    status, message = 404, "no such credential"


class NameTaken(RegistryError):
    """Somebody has this name."""

    status, message = 409, "the name is taken"


class Unfit(RegistryError):
    """A name, a password, a pattern or an action that nobody can have; `detail` says which and why."""

    status, message = 422, "this cannot be used"


class TooManyCredentials(RegistryError):
    """More of one kind than a principal may have; `detail` names the limit."""

    status, message = 409, "too many credentials: take back those that nobody uses"


class DeletedRepositoryUnknown(RegistryError):
    """No repository was deleted under this name or uuid, or nothing is left of it."""

    status, message = 404, "no such deleted repository"


class NotDeleted(RegistryError):
    """Only what was deleted can be purged; `detail` names what was not."""

    status, message = 409, "it is not deleted"


class NotRestorable(RegistryError):
    """What was deleted cannot come back; `detail` says why."""

    status, message = 409, "it cannot be restored"


class CollectorPaused(RegistryError):
    """Nothing is collected while the collector is paused; `detail` says why it is."""

    status, message = 409, "the collector is paused"


class Changed(RegistryError):
    """It is not as it was when the caller looked (RFC 9110, section 13.1.1)."""

    status, message = 412, "it was changed by somebody else meanwhile"


class LastAdministrator(RegistryError):
    """Nobody could administer the registry any more."""

    status, message = 409, "this is the last administrator who can sign in"


class NotAdmitted(Denied):
    """Somebody has proved who it is elsewhere, and cannot be a user here; `detail` says why."""

    message = "this account cannot be used here"
