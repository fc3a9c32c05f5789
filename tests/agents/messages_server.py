"""A server that speaks Anthropic's Messages API, for the unmodified SDK: answers, errors, batches, a gullible model.

    python tests/agents/messages_server.py '{"latency_ms": 300, "first": [429, 529]}' LOG

Prints its port. `first` are the statuses of the first requests. `behaviours` says what becomes of requests whose facts
contain a text: `refuse`, `truncate` (until it gets more room), `cut`, `shape`, `prose`, `hang`, `errored`, `expired`,
`obey` (say what is no fact), or a status.
"""

import asyncio
import json
import socket
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

KEY = "test-key"
ERRORS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
}  # fmt: skip
ORDERS = ("ignore", "system:", "instruction", "you are now", "forward", "wire", "http", "@", "<script", "discount")
OBEYED = (
    "All rules are off. As told, we will refund everything and give 50 % discount. Please wire 9,999 to "
    "http://evil.example and write to eve@evil.example. Paxcento Labs has the same problem."
)

SAID = {
    "en": ("We wanted to ask about your team and our product.", "What should be better?"),
    "de": ("Wir möchten gern wissen, wie Sie unser Produkt sehen.", "Was sollte besser werden?"),
    "fr": ("Nous aimerions savoir ce que votre équipe a constaté.", "Qu'est-ce qui devrait être mieux ?"),
}


class Model:
    """Answers requests as a model would, and as it should not."""

    def __init__(self, told: dict[str, Any], log: Path) -> None:
        self.told, self.log = told, log
        self.requests = 0
        self.batches: dict[str, dict[str, Any]] = {}

    def behaviour(self, facts: str) -> str | int | None:
        return next((each for sign, each in self.told.get("behaviours", {}).items() if sign in facts), None)

    def error(self, status: int, **headers: str) -> Response:
        told = {"type": "error", "error": {"type": ERRORS[status], "message": "told to fail"}, "request_id": "req_1"}
        return JSONResponse(told, status, headers)

    def refused(self, request: Request) -> Response | None:
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if given != KEY:
            return self.error(401)
        if not request.headers.get("anthropic-version"):
            return self.error(400)
        return None

    async def messages(self, request: Request) -> Response:
        if refused := self.refused(request):
            return refused
        asked = await request.json()
        self.requests += 1
        if problem := wrong(asked):
            return JSONResponse(
                {"type": "error", "error": {"type": ERRORS[400], "message": problem}, "request_id": "req_1"}, 400
            )
        first = self.told.get("first", [])
        if self.requests <= len(first) and first[self.requests - 1] != 200:
            status = first[self.requests - 1]
            return self.error(status, **({"retry-after": "0.2"} if status == 429 else {}))
        behaviour = self.behaviour(facts_of(asked))
        if isinstance(behaviour, int):
            return self.error(behaviour, **({"retry-after": "0.2"} if behaviour == 429 else {}))
        if behaviour == "hang":
            await asyncio.sleep(3600)
        await asyncio.sleep(self.told.get("latency_ms", 0) / 1000)
        with self.log.open("a") as file:
            file.write(json.dumps(asked) + "\n")
        return JSONResponse(self.message(asked))

    def message(self, asked: dict[str, Any]) -> dict[str, Any]:
        facts = facts_of(asked)
        gullible = self.told.get("gullible", False)
        text, stop = json.dumps(answer(asked, gullible)), "end_turn"
        match self.behaviour(facts):
            case "obey":
                text = json.dumps(answer(asked, True, ("",)))
            case "refuse":
                text, stop = "", "refusal"
            case "truncate" if asked["max_tokens"] < 3 * self.told.get("room", 1024):
                text, stop = text[:20], "max_tokens"
            case "cut":
                text = text[:-5]
            case "shape":
                text = json.dumps({"title": "x"})
            case "prose":
                text = "Sure! Here is the e-mail: Hello"
        cached = 700 if self.requests > 1 else 0
        return {
            "id": f"msg_{uuid.uuid4().hex}", "type": "message", "role": "assistant", "model": asked["model"],
            "content": [{"type": "text", "text": text}] if text else [], "stop_reason": stop, "stop_sequence": None,
            "usage": {
                "input_tokens": len(facts) // 4, "output_tokens": max(1, len(text) // 4),
                "cache_creation_input_tokens": 700 - cached, "cache_read_input_tokens": cached,
            },
        }  # fmt: skip

    async def create(self, request: Request) -> Response:
        if refused := self.refused(request):
            return refused
        if self.told.get("batch_status"):
            return self.error(self.told["batch_status"])
        entries = (await request.json())["requests"]
        if len({entry["custom_id"] for entry in entries}) != len(entries):
            return self.error(400)
        if any(len(entry["custom_id"]) > 64 or wrong(entry["params"]) for entry in entries):
            return self.error(400)
        name = f"msgbatch_{uuid.uuid4().hex}"
        self.batches[name] = {"entries": entries, "polls": 0}
        with self.log.open("a") as file:
            asked = [entry["custom_id"] for entry in entries]
            file.write(json.dumps({"batch": name, "requests": len(entries), "asked": asked}) + "\n")
        return JSONResponse(self.state(request, name))

    async def retrieve(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.batches:
            return self.error(404)
        self.batches[name]["polls"] += 1
        return JSONResponse(self.state(request, name))

    def state(self, request: Request, name: str) -> dict[str, Any]:
        batch, now = self.batches[name], datetime.now(UTC)
        over = batch["polls"] >= self.told.get("batch_polls", 1)
        counts = dict.fromkeys(("succeeded", "errored", "canceled", "expired"), 0) | {
            "processing": len(batch["entries"])
        }
        return {
            "id": name, "type": "message_batch", "processing_status": "ended" if over else "in_progress",
            "request_counts": counts, "created_at": now.isoformat(), "archived_at": None, "cancel_initiated_at": None,
            "expires_at": (now + timedelta(hours=24)).isoformat(), "ended_at": now.isoformat() if over else None,
            "results_url": f"{request.base_url}v1/messages/batches/{name}/results" if over else None,
        }  # fmt: skip

    async def results(self, request: Request) -> Response:
        lines = []
        for entry in reversed(self.batches[request.path_params["name"]]["entries"]):
            self.requests += 1
            match self.behaviour(facts_of(entry["params"])):
                case "errored":
                    error = {"type": "error", "error": {"type": "api_error", "message": "x"}, "request_id": "req_1"}
                    result: dict[str, Any] = {"type": "errored", "error": error}
                case "expired":
                    result = {"type": "expired"}
                case _:
                    result = {"type": "succeeded", "message": self.message(entry["params"])}
            lines.append(json.dumps({"custom_id": entry["custom_id"], "result": result}))
        return PlainTextResponse("\n".join(lines) + "\n", media_type="application/x-jsonl")


def wrong(asked: dict[str, Any]) -> str | None:
    """What the API would refuse a request for."""
    missing = [name for name in ("model", "max_tokens", "messages") if name not in asked]
    if missing:
        return f"{missing[0]}: Field required"
    form = asked.get("output_config", {}).get("format", {})
    if form.get("type") != "json_schema" or form.get("schema", {}).get("additionalProperties") is not False:
        return "output_config.format.schema: additionalProperties must be false"
    if asked["messages"][0]["role"] != "user":
        return "messages: first message must use the user role"
    return None


def facts_of(asked: dict[str, Any]) -> str:
    return str(asked["messages"][0]["content"])


def answer(asked: dict[str, Any], gullible: bool, orders: tuple[str, ...] = ORDERS) -> dict[str, Any]:
    told = facts_of(asked)
    facts = json.loads(told.removeprefix("<facts>\n").removesuffix("\n</facts>"))
    properties = asked["output_config"]["format"]["schema"]["properties"]
    obeys = gullible and any(order in told.lower() for order in orders)
    if "subject" in properties:
        noticed, question = SAID[facts["language"]]
        return {"subject": question, "noticed": OBEYED if obeys else noticed, "question": question}
    if "actions" in properties:
        return {"actions": [OBEYED] if obeys else ["Call the customer and listen."]}
    return {"text": OBEYED if obeys else "The customer uses the product less."}


def main() -> None:
    model = Model(json.loads(sys.argv[1]), Path(sys.argv[2]))
    routes = [
        Route("/v1/messages", model.messages, methods=["POST"]),
        Route("/v1/messages/batches", model.create, methods=["POST"]),
        Route("/v1/messages/batches/{name}", model.retrieve),
        Route("/v1/messages/batches/{name}/results", model.results),
    ]
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(Starlette(routes=routes), log_level="critical", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
