"""What a verifier asks, as statements of either database, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from keyhalt.storage.rows import KEY_COLUMNS, USER_COLUMNS, key_from, owner, user_from
from keyhalt.storage.schema import api_key, bearer_token, web_session

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Select

ANY_IMPORTED = "SELECT 1 FROM api_key WHERE imported_mac IS NOT NULL LIMIT 1"
STANDING = "SELECT cluster, n FROM auth_epoch"
_KEY = select(*KEY_COLUMNS, *USER_COLUMNS).select_from(key_from())


class Questions:
    """SQL text with one positional parameter each; `user` has two: datasource and user id."""

    def __init__(self, dialect: Dialect) -> None:
        def sql(query: Select[Any]) -> str:
            return str(query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))

        # By the key's own unique id or digest: the row's datasource is compared with the text's.
        self.key_by_id = sql(_KEY.where(api_key.c.id == bindparam("id", None)))
        self.key_by_digest = sql(
            _KEY.where(
                api_key.c.digest == bindparam("digest", None), api_key.c.imported_mac.is_not(None)
            )
        )
        self.token = sql(
            select(
                bearer_token.c.id,
                bearer_token.c.datasource_id,
                bearer_token.c.user_id,
                bearer_token.c.sign_in_generation,
                bearer_token.c.expires_at,
                bearer_token.c.ended_at,
            ).where(bearer_token.c.digest == bindparam("digest", None))
        )
        self.session = sql(
            select(
                web_session.c.id,
                web_session.c.datasource_id,
                web_session.c.user_id,
                web_session.c.sign_in_generation,
                web_session.c.expires_at,
                web_session.c.ended_at,
                web_session.c.seen_at,
            ).where(web_session.c.digest == bindparam("digest", None))
        )
        self.user = sql(
            select(*USER_COLUMNS)
            .select_from(user_from())
            .where(
                owner.c.datasource_id == bindparam("datasource_id", None),
                owner.c.id == bindparam("user_id", None),
            )
        )
