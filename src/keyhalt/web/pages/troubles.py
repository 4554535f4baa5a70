"""Every exact reason of a denial in words, and what to do about it (docs/problems.md)."""

from __future__ import annotations

from dataclasses import dataclass

from keyhalt.core.decisions import Cause, Reason


@dataclass(frozen=True, slots=True)
class Trouble:
    what: str
    fix: str


_CHECK = "Compare it with the value in the vault; is it lost, delete this key and create another."
_OWNER = "Activate the owner, or create a key as an active user."
_ROLE = "Change what the owner's role grants, or use a key of somebody who may."
_AGAIN = "Sign in again. A program uses an API key: it needs no sign-in and does not end."
_PERSON = "Check datasource, user code and password; who manages users can set another password."
_WAIT = "Wait as long as Retry-After says, and try again."

TROUBLES: dict[str, Trouble] = {
    Reason.HTTPS_REQUIRED: Trouble("It came over plain HTTP.", "Use an https address."),
    Reason.AMBIGUOUS_CREDENTIAL: Trouble(
        "It carried more than one key.", "Send the header ECI-ApiKey once; look at proxies too."
    ),
    Reason.MISSING_CREDENTIAL: Trouble(
        "It carried no credential.", "Send the key in the header ECI-ApiKey."
    ),
    Reason.KEY_IN_URL: Trouble(
        "A key stood in the address, where logs and histories keep it.",
        "Delete that key, create another, and send it in the header ECI-ApiKey.",
    ),
    Reason.MALFORMED_KEY: Trouble("What it sent is not the text of a key.", _CHECK),
    Reason.WRONG_ENVIRONMENT: Trouble(
        "Its key was made in another environment.", "Create a key in this environment."
    ),
    Reason.INVALID_KEY: Trouble("Its key does not count.", _CHECK),
    Reason.INVALID_TOKEN: Trouble("Its bearer token does not count.", _AGAIN),
    Reason.PERMISSION_DENIED: Trouble("The owner lacks the permission that it needs.", _ROLE),
    Reason.NOT_IN_POLICY: Trouble(
        "No rule of the policy lets it through.", "An operator can add a rule to the policy."
    ),
    Reason.BEYOND_OWN_RIGHTS: Trouble(
        "It would have given or taken what the caller does not have.",
        "Let somebody do it who has those rights themselves.",
    ),
    Reason.KEY_CANNOT_CREATE_KEYS: Trouble(
        "A key tried to create a key, which this datasource does not allow.",
        "Create it on these pages, signed in.",
    ),
    Reason.NOT_FOUND: Trouble(
        "What it asked for is not there, or not where the owner sees.",
        "Check the id; is it right, widen what the owner sees from.",
    ),
    Reason.INVALID_SESSION: Trouble("The session of the pages has ended.", "Sign in again."),
    Reason.CROSS_SITE: Trouble(
        "Another site sent a form to these pages.",
        "Open these pages themselves. Behind a proxy: it must pass Host on unchanged.",
    ),
    Reason.INVALID_SIGN_IN: Trouble("Datasource, user or password were wrong.", _PERSON),
    Reason.PASSWORD_CHANGE_REQUIRED: Trouble(
        "The password is good for choosing another one only.", "Choose another password."
    ),
    Reason.UNAVAILABLE: Trouble("The store could not be asked.", _WAIT),
    Reason.TOO_MANY_REQUESTS: Trouble("Too many failing requests came from there.", _WAIT),
    Cause.FOREIGN_TEXT: Trouble("What it sent is a text of another kind, and no key.", _CHECK),
    Cause.BAD_CHECKSUM: Trouble("Its key was cut short or changed on the way.", _CHECK),
    Cause.UNKNOWN_GENERATION: Trouble(
        "Its key was made with a MAC key that this server does not have.",
        "An operator adds that MAC key (keyhalt mac-key list).",
    ),
    Cause.FORGED_KEY: Trouble("Its key looks like one, but was not made here.", _CHECK),
    Cause.UNKNOWN_KEY: Trouble("There is no such key here.", "Create a key, and use that."),
    Cause.DELETED_KEY: Trouble("Its key was deleted.", "Create a key, and use that."),
    Cause.FROZEN_KEY: Trouble(
        "Its key is frozen.", "An operator thaws it (keyhalt thaw), or create another key."
    ),
    Cause.ROW_MISMATCH: Trouble(
        "The row of its key is not as it was when the key was made.",
        "Tell an operator: keyhalt doctor says more.",
    ),
    Cause.OWNER_INACTIVE: Trouble("The owner has been deactivated.", _OWNER),
    Cause.DATASOURCE_INACTIVE: Trouble(
        "The datasource has been deactivated.", "An operator activates the datasource."
    ),
    Cause.UNKNOWN_TOKEN: Trouble("There is no such bearer token here.", _AGAIN),
    Cause.ENDED_TOKEN: Trouble("Its bearer token was ended.", _AGAIN),
    Cause.EXPIRED_TOKEN: Trouble("Its bearer token has expired.", _AGAIN),
    Cause.EARLIER_SIGN_IN: Trouble(
        "It was signed in before the password was changed, or the user deactivated.", _AGAIN
    ),
    Cause.UNKNOWN_SESSION: Trouble("There is no such session of the pages.", "Sign in again."),
    Cause.ENDED_SESSION: Trouble("The session was ended.", "Sign in again."),
    Cause.EXPIRED_SESSION: Trouble("The session reached its longest time.", "Sign in again."),
    Cause.IDLE_SESSION: Trouble("The session was unused for too long.", "Sign in again."),
    Cause.LEGACY_SIGN_IN_OFF: Trouble(
        "Bearer tokens are switched off here.", "Use an API key in the header ECI-ApiKey."
    ),
    Cause.UNKNOWN_USER: Trouble("There is no such user here.", _PERSON),
    Cause.WRONG_PASSWORD: Trouble("The password was wrong.", _PERSON),
    Cause.MUST_CHANGE_PASSWORD: Trouble(
        "The password was set by somebody else.", "Choose another one at the sign-in."
    ),
    Cause.EXPIRED_PASSWORD: Trouble(
        "The password has expired.", "Choose another one at the sign-in."
    ),
    Cause.OTHER_ENVIRONMENT: Trouble(
        "The sign-in was for another environment.", "Sign in at that environment's address."
    ),
    Cause.TOO_MANY_SIGN_INS: Trouble("Too many sign-ins were tried.", _WAIT),
    Cause.STORE_UNAVAILABLE: Trouble("The store could not be asked.", _WAIT),
    Cause.SIGN_INS_BUSY: Trouble("Too many sign-ins came at once.", _WAIT),
}
