"""An API behind a proxy: it answers with what it was sent, and checks nothing itself.

Run with: uvicorn app:app --port 9000
"""

import json


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    seen = {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "bodyBytes": size,
        "headers": [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]],
    }
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
