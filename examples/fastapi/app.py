"""Orders in projects, behind FastAPI.

Run with: uvicorn app:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException

from keyhalt import Principal
from keyhalt.integrations.fastapi import protect, require
from keyhalt.library import open_verifier

verifier = open_verifier(profile="../orders.toml")


@asynccontextmanager
async def closing(_app: FastAPI) -> AsyncIterator[None]:
    yield
    verifier.close()


app = FastAPI(title="Orders", lifespan=closing)
protect(app, verifier, open_paths=["/health", "/docs", "/openapi.json"])

# Who is below whom is this app's own business: Keyhalt knows where a user sees from, and asks
# nobody. Project 1 is the root; 2 and 3 lie below it, 4 below 2.
PARENTS = {2: 1, 3: 1, 4: 2}
ORDERS = {10: 2, 11: 3, 12: 4}


def seen(caller: Principal, project: int | None) -> bool:
    """Whether `project` is one of the caller's topmost projects, or lies below one."""
    while project is not None:
        if project in caller.topmost_ids("projects"):
            return True
        project = PARENTS.get(project)
    return False


@app.get("/orders")
def orders(caller: Annotated[Principal, Depends(require("orders.view"))]) -> list[int]:
    return [order for order, project in ORDERS.items() if seen(caller, project)]


@app.get("/orders/{order}")
def order(order: int, caller: Annotated[Principal, Depends(require("orders.view"))]) -> dict:
    if order not in ORDERS or not seen(caller, ORDERS[order]):
        raise HTTPException(404)
    return {"order": order, "project": ORDERS[order], "readBy": caller.user_code}


@app.post("/orders")
def place(caller: Annotated[Principal, Depends(require("orders.create"))]) -> dict:
    return {"createdBy": caller.user_code}


@app.get("/health")
def health() -> str:
    return "ok"
