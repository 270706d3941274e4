"""A small client of language servers, over the pipes of a real process."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from samples import environment

PATIENCE = 60  # seconds until a server that doesn't answer fails the test

Json = Any


class Client:
    """Starts a server, and speaks JSON-RPC with it (LSP 3.17, base protocol).

    ``messages`` are the notifications that came from it, ``requests`` what it asked of the client.
    """

    def __init__(self, cwd: Path, *command: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=cwd,
            env=environment(**variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.root = cwd
        self.notes: list[Json] = []
        self.requests: list[Json] = []
        self.err = b""
        self._incoming: queue.Queue[Json] = queue.Queue()
        self._id = 0
        self._threads = [threading.Thread(target=read) for read in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    # -- the protocol

    def request(self, method: str, params: Json = None) -> Json:
        """Send a request and wait for its result; an error of the server fails."""
        self._id += 1
        self._send({"id": self._id, "method": method, "params": params})
        answer = self._until(lambda message: message.get("id") == self._id and "method" not in message)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def notify(self, method: str, params: Json = None) -> None:
        self._send({"method": method, "params": params})

    def initialize(self, capabilities: Json = None, **others: Json) -> Json:
        parameters = {"processId": None, "rootUri": self.root.as_uri(), "capabilities": capabilities or {}}
        result = self.request("initialize", {**parameters, **others})
        self.notify("initialized", {})
        return result["capabilities"]

    def leave(self) -> int:
        """Shut the server down as the protocol says, and give its exit status."""
        self.request("shutdown")
        self.notify("exit")
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End the process, if it is still there, and its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    # -- documents

    def open(self, uri: str, text: str, version: int = 1) -> None:
        document = {"uri": uri, "languageId": "python", "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def change(self, uri: str, text: str, version: int) -> None:
        document = {"uri": uri, "version": version}
        changes = [{"text": text}]
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})

    def diagnostics(self, uri: str, version: int | None = None) -> list[Json]:
        """The next diagnostics that are pushed for a document (of this version)."""

        def wanted(message: Json) -> bool:
            params = message.get("params") or {}
            return (
                message.get("method") == "textDocument/publishDiagnostics"
                and same(params["uri"], uri)
                and (version is None or params.get("version") == version)
            )

        found: list[Json] = self._until(wanted)["params"]["diagnostics"]
        return found

    def actions(self, uri: str, where: Json, only: Sequence[str] | None = None) -> list[Json]:
        """The code actions for a range."""
        context: Json = {"diagnostics": []}
        if only is not None:
            context["only"] = list(only)
        parameters = {"textDocument": {"uri": uri}, "range": where, "context": context}
        found: list[Json] = self.request("textDocument/codeAction", parameters)
        return found

    def wait_for_request(self, method: str) -> Json:
        """The next request of the server with this method."""
        found = next((request for request in self.requests if request["method"] == method), None)
        return found or self._until(lambda message: message.get("method") == method)

    # -- pipes

    def _send(self, message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while header := self.process.stdout.readline():
            length = 0
            while header.strip():
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                header = self.process.stdout.readline()
            self._incoming.put(json.loads(self.process.stdout.read(length)))
        self._incoming.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.err = self.process.stderr.read()

    def _until(self, wanted: Any) -> Json:
        while True:
            message = self._incoming.get(timeout=PATIENCE)
            assert message is not None, f"the server is gone: {self.process.wait()}"
            if "method" in message and "id" in message:
                self.requests.append(message)
                self._send({"id": message["id"], "result": None})
            elif "method" in message:
                self.notes.append(message)
            if wanted(message):
                return message


def same(one: str, two: str) -> bool:
    """Whether two URIs are of the same file; servers may escape more or less of it."""
    return (urlsplit(one).scheme, unquote(one)) == (urlsplit(two).scheme, unquote(two))


def apply(text: str, edits: Sequence[Json], encoding: str = "utf-16-le") -> str:
    """A text with edits of the protocol in it, whose columns count units of an encoding."""
    lines = text.splitlines(keepends=True)  # no test has a form feed
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(place: Json) -> int:
        line = lines[place["line"]] if place["line"] < len(lines) else ""
        units = {"utf-8": 1, "utf-16-le": 2, "utf-32-le": 4}[encoding]
        head = line.encode(encoding)[: place["character"] * units].decode(encoding)
        return starts[int(place["line"])] + len(head)

    for edit in sorted(edits, key=lambda edit: offset(edit["range"]["start"]), reverse=True):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text
