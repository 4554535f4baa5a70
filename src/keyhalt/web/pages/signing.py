"""Sign in, choose another password, sign out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.problems import TABLE
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.rows import SignInRequest
from keyhalt.web.pages.app import SIGN_IN
from keyhalt.web.pages.asking import Moved, Row, Shown
from keyhalt.web.pages.render import status_of

if TYPE_CHECKING:
    from keyhalt.usecases.sessions import WebSessions
    from keyhalt.usecases.sign_in import SignIn
    from keyhalt.web.pages.asking import Answer, Ask
    from keyhalt.web.pages.cookies import Jar

PASSWORD = f"{SIGN_IN}/password"
HOME = "/keys"
_OURS = re.compile(r"/(?:keys|webhooks|users|roles|activity|me)(?:/[a-z0-9/]*)?")
_NOTICES = {
    "changed": "Your password is changed. Sign in with it.",
    "out": "You are signed out.",
}
_LENGTH_MAX = 1024


@dataclass(frozen=True, slots=True)
class SigningPages:
    sign_in: SignIn
    sessions: WebSessions
    jar: Jar

    def rows(self) -> list[Row]:
        return [
            Row("GET", SIGN_IN, self.ask, signed_in=False),
            Row("POST", SIGN_IN, self.enter, signed_in=False, hashes=True),
            Row("GET", PASSWORD, self.ask_new, signed_in=False),
            Row("POST", PASSWORD, self.change, signed_in=False, hashes=True),
            Row("POST", "/sign-out", self.leave),
        ]

    def ask(self, ask: Ask) -> Answer:
        notice = _NOTICES.get(ask.query.get("said", ""), "")
        return _form("sign_in.html", ask, notice=notice, back=_ours(ask.query.get("next", "")))

    def enter(self, ask: Ask) -> Answer:
        """What went wrong is one sentence, whatever it was; what was typed stays, but the password.

        Whose password is good for another one only is led to choosing it.
        """
        back = _ours(ask.form.get("next", ""))
        opened = self.sessions.open(_request(ask), ask.session or None, ask.origin)
        if isinstance(opened, Secret):
            return Moved(back, (self.jar.open_session(opened.reveal()),))
        if opened.reason is Reason.PASSWORD_CHANGE_REQUIRED:
            notice = "Your password has to be changed before you can sign in."
            return _form("password.html", ask, opened, notice=notice)
        error = TABLE[opened.reason].detail
        return _form("sign_in.html", ask, opened, error=error, back=back)

    def ask_new(self, ask: Ask) -> Answer:
        return _form("password.html", ask)

    def change(self, ask: Ask) -> Answer:
        new = ask.form.get("new_password", "")
        if new != ask.form.get("again", ""):
            return _form("password.html", ask, error="The new password was typed in two ways.")
        if len(new) > _LENGTH_MAX:
            return _form("password.html", ask, error="The new password is too long.")
        done = self.sign_in.change_password(_request(ask), Secret(new), ask.origin)
        if isinstance(done, Denied | Refused):
            error = done.detail if isinstance(done, Refused) else TABLE[done.reason].detail
            return _form("password.html", ask, done, error=error)
        return Moved(f"{SIGN_IN}?said=changed", (self.jar.end_session(),))

    def leave(self, ask: Ask) -> Answer:
        self.sessions.close(ask.session, ask.principal, ask.origin)
        return Moved(f"{SIGN_IN}?said=out", (self.jar.end_session(), self.jar.end_half()))


def _request(ask: Ask) -> SignInRequest:
    return SignInRequest(
        ask.form.get("datasource", "")[:_LENGTH_MAX],
        ask.form.get("user_code", "")[:_LENGTH_MAX],
        Secret(ask.form.get("password", "")[: _LENGTH_MAX + 1]),
    )


def _form(
    template: str,
    ask: Ask,
    no: Denied | Refused | None = None,
    *,
    error: str = "",
    notice: str = "",
    back: str = HOME,
) -> Shown:
    values = {
        "datasource": ask.form.get("datasource", ""),
        "user_code": ask.form.get("user_code", ""),
        "error": error,
        "notice": notice,
        "back": back,
    }
    return Shown(template, values, 200 if no is None else status_of(no))


def _ours(path: str) -> str:
    """`path` if it is a page of this site, else the first one: a sign-in leads nowhere else."""
    return path if _OURS.fullmatch(path) else HOME
