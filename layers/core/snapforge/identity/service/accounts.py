"""Sign up, verify the address, and look at oneself."""

from datetime import datetime

from pynamodb.expressions.update import Action

from snapforge.aws import outbox
from snapforge.aws.tables import Stale, Transaction, find, org_pk, retried
from snapforge.identity import domain, events, schemas, store
from snapforge.identity.errors import VerificationOver, WeakPassword
from snapforge.identity.service import passwords
from snapforge.identity.service.limits import may_mail
from snapforge.kit import clock, ids
from snapforge.kit.errors import NotFound, Unauthenticated
from snapforge.kit.permissions import OrgRole, Principal


class _Taken(Exception):
    """The address got an account between looking and writing."""


def sign_up(body: schemas.SignUp) -> None:
    """Open an account with a personal org, and ask for a mail with a link.

    Nothing tells the caller whether the address was known: an unverified account gets another link, a verified one a
    mail that says so, and both take the same calls. WeakPassword.
    """
    password = domain.normalise_password(body.password)
    fault = domain.password_fault(password, body.email)
    if fault:
        raise WeakPassword(fault)
    password_hash = passwords.hash_of(password)
    wanted = may_mail(body.email)
    claim = store.claim_of(body.email)
    if claim is None:
        try:
            _open_account(body, password_hash, mail=wanted)
        except _Taken:
            claim = store.claim_of(body.email)
    user = store.user_of(claim.user_id) if claim else None
    if user is not None and wanted:
        _sign_up_again(user, body.name, password_hash)


def _open_account(body: schemas.SignUp, password_hash: str, *, mail: bool) -> None:
    now, user_id, org_id = clock.now(), ids.new("user"), ids.new("org")
    claim, user, *rest = store.new_account(
        user_id=user_id,
        org_id=org_id,
        email=body.email,
        name=body.name,
        locale=body.locale,
        password_hash=password_hash,
        now=now,
    )
    tx = Transaction()
    tx.put_new(claim, failed=lambda _: _Taken())
    for row in (user, *rest):
        tx.put_new(row, failed=lambda _: RuntimeError("a new id was in use"))
    if mail:
        _add_link(tx, user_id, org_id, body.email, body.name, body.locale, password_hash, now)
    tx.commit()


def _sign_up_again(user: store.User, name: str, password_hash: str) -> None:
    tx = Transaction()
    if user.verified_at is None:
        _add_link(tx, user.user_id, user.org_id, user.email, name, user.locale, password_hash, clock.now())
    else:
        repeated = events.signup_repeated(
            org_id=user.org_id, user_id=user.user_id, email=user.email, name=user.name, locale=user.locale
        )
        outbox.put(tx, store.Outbox, repeated)
    tx.commit()


def _add_link(
    tx: Transaction,
    user_id: str,
    org_id: str,
    email: str,
    name: str,
    locale: str,
    password_hash: str,
    now: datetime,
) -> None:
    token, expires_at = ids.secret("sfv_"), now + domain.VERIFICATION_LIFE
    row = store.Verification(
        pk=f"verify#{domain.sha256(token)}",
        sk="verify",
        user_id=user_id,
        password_hash=password_hash,
        name=name,
        expires_at=expires_at,
        ttl=clock.epoch(expires_at),
    )
    tx.put_new(row, failed=lambda _: RuntimeError("a new token was in use"))
    requested = events.verification_requested(
        org_id=org_id, user_id=user_id, email=email, name=name, locale=locale, token=token
    )
    outbox.put(tx, store.Outbox, requested)


def resend_verification(body: schemas.ResendVerification) -> None:
    """Ask for another mail, if the address has an unverified account; the caller is not told."""
    wanted = may_mail(body.email)
    claim = store.claim_of(body.email)
    user = store.user_of(claim.user_id) if claim else None
    if user is not None and user.verified_at is None and wanted:
        tx = Transaction()
        _add_link(tx, user.user_id, user.org_id, user.email, user.name, user.locale, user.password_hash, clock.now())
        tx.commit()


def verify_email(body: schemas.VerifyEmail) -> None:
    """Take the address as the user's; the password is then the one chosen with this link.

    A link works once; following it again, or another one of the same user, changes nothing and is no error.
    VerificationOver when it is unknown or too old.
    """
    row = find(store.Verification, f"verify#{domain.sha256(body.token)}", "verify")
    if row is None or row.expires_at <= clock.now():
        raise VerificationOver()
    retried(lambda: _verify(row))


def _verify(link: store.Verification) -> None:
    user = store.user_of(link.user_id)
    if user is None:
        raise VerificationOver()
    if user.verified_at is not None:
        return
    now = clock.now()
    standing: list[Action] = [store.Standing.verified.set(True)]
    if link.password_hash != user.password_hash:
        # Whoever signed up with this address before, and knows that other password, is out.
        standing.append(store.Standing.epoch.add(1))
    tx = Transaction()
    tx.update(
        user,
        [
            store.User.verified_at.set(now),
            store.User.password_hash.set(link.password_hash),
            store.User.name.set(link.name),
        ],
        store.User.verified_at.does_not_exist() & (store.User.password_hash == user.password_hash),
        failed=lambda _: Stale(),
    )
    if link.name != user.name:
        tx.update(
            store.Org(pk=org_pk(user.org_id), sk="org"),
            [store.Org.name.set(link.name)],
            store.Org.pk.exists(),
            failed=lambda _: RuntimeError("a user without an org"),
        )
    tx.update(
        store.Standing(pk=user.pk, sk="epoch"),
        standing,
        store.Standing.pk.exists(),
        failed=lambda _: RuntimeError("a user without standing"),
    )
    signed_up = events.signed_up(
        org_id=user.org_id, user_id=user.user_id, email=user.email, name=link.name, locale=user.locale
    )
    outbox.put(tx, store.Outbox, signed_up)
    tx.commit()


def me(principal: Principal) -> schemas.Me:
    """The principal, with the user and the org behind it. One call."""
    user, org, member = store.who(principal.user_id, principal.org_id)
    if org is None or (principal.user_id and user is None):
        raise Unauthenticated()
    return schemas.Me(
        user=None
        if user is None
        else schemas.Person(
            id=user.user_id,
            email=user.email,
            name=user.name,
            locale=user.locale,
            email_verified=user.verified_at is not None,
            created_at=user.created_at,
        ),
        org=schemas.OrgSummary(
            id=org.org_id, name=org.name, personal=org.personal, role=OrgRole(member.role) if member else None
        ),
        key_id=principal.key_id,
        permissions=sorted(principal.permissions),
    )


def address_of_org_owner(org_id: str) -> tuple[str, str, str]:
    """Whom to write to about an org: (address, name, locale). NotFound when there is no such org."""
    org = find(store.Org, org_pk(org_id), "org")
    user = store.user_of(org.owner_id) if org else None
    if user is None:
        raise NotFound(f"{org_id} has no owner.")
    return user.email, user.name, user.locale
