"""Who may do what: from the right a call carries to the grant it stands for."""

from __future__ import annotations

import hmac

from hushlink_coordinator.store import projects
from hushlink_domain import grants
from hushlink_mesh import calls, rights

_Role = grants.Role


class Access:
    """Checks rights. An unknown project, an unknown right and one that does not reach far enough get one answer."""

    def __init__(
        self, store: projects.ProjectStore, operator_right_sha256: str | None, open_creation: bool | None
    ) -> None:
        self._store = store
        self._operator_hash = bytes.fromhex(operator_right_sha256) if operator_right_sha256 else None
        self._open_creation = self._operator_hash is None if open_creation is None else open_creation

    async def grant(self, context: calls.Context) -> grants.Grant:
        """The grant of the call's right.

        Raises:
            errors.CallerError: RIGHT_MISSING or ACCESS_REFUSED.
        """
        digest = grants.digest(rights.required(context).reveal())
        if self._operator_hash is not None and hmac.compare_digest(digest, self._operator_hash):
            return grants.Grant(_Role.OPERATOR, None, None)
        found = await self._store.grant(digest)
        if found is None:
            raise grants.refusal()
        return found

    async def may_create(self, context: calls.Context) -> None:
        """Check that the caller may create projects: the operator, or anyone where that is open.

        Raises:
            errors.CallerError: RIGHT_MISSING or ACCESS_REFUSED.
        """
        if self._open_creation:
            return
        if (await self.grant(context)).role is not _Role.OPERATOR:
            raise grants.refusal()

    async def member(self, context: calls.Context, project_id: str) -> grants.Grant:
        """Check that the caller is the project's owner or one of its parties.

        Raises:
            errors.CallerError: RIGHT_MISSING or ACCESS_REFUSED.
        """
        grant = await self.grant(context)
        if grant.project_id is None or grant.project_id != project_id:
            raise grants.refusal()
        return grant

    async def owner(self, context: calls.Context, project_id: str) -> grants.Grant:
        """Check that the caller is the project's owner.

        Raises:
            errors.CallerError: RIGHT_MISSING or ACCESS_REFUSED.
        """
        grant = await self.member(context, project_id)
        if grant.role is not _Role.OWNER:
            raise grants.refusal()
        return grant

    async def party(self, context: calls.Context, project_id: str) -> int:
        """Check that the caller is one of the project's parties, and return which. The owner can't act as a party.

        Raises:
            errors.CallerError: RIGHT_MISSING or ACCESS_REFUSED.
        """
        grant = await self.member(context, project_id)
        if grant.party is None:
            raise grants.refusal()
        return grant.party
