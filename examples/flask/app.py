"""Orders behind Flask.

Run with: flask run
"""

from flask import Flask

from keyhalt.integrations.flask import Keyhalt
from keyhalt.library import open_verifier

app = Flask(__name__)
keys = Keyhalt(lambda: open_verifier(profile="../orders.toml"), open_paths=["/health"])
keys.init_app(app)


@app.get("/orders")
@keys.require("orders.view")
def orders() -> dict[str, str]:
    return {"readBy": keys.principal.user_code}


@app.post("/orders")
@keys.require("orders.create")
def place() -> dict[str, str]:
    return {"createdBy": keys.principal.user_code}


@app.get("/health")
def health() -> str:
    return "ok"
