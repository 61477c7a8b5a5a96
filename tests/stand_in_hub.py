"""A stand-in for the hub's endpoints that tables are shared through, on this machine alone."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class Hub:
    """One data set: its files, and the commits that were made."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.files: dict[str, bytes] = {}
        self.commits: list[dict[str, object]] = []
        self.downloads: list[str] = []

    @property
    def revision(self) -> str:
        every = json.dumps(sorted((p, d.hex()) for p, d in self.files.items()))
        return hashlib.sha1(every.encode()).hexdigest()

    def tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": path, "size": len(data), "oid": _oid(data)}
            for path, data in self.files.items()
        ]

    def commit(self, lines: list[dict]) -> dict[str, object]:
        head = lines[0]["value"]
        for line in lines[1:]:
            assert line["key"] == "file", line
            value = line["value"]
            self.files[value["path"]] = base64.b64decode(value["content"])
        self.commits.append(head)
        url = f"https://huggingface.co/datasets/{self.name}/commit/{self.revision}"
        return {"commitUrl": url, "commitOid": self.revision, "pullRequestUrl": None}


@contextmanager
def served(hub: Hub) -> Iterator[str]:
    """Serve a hub while the block runs; gives its address."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            path = unquote(urlsplit(self.path).path)
            if path == "/api/validate-yaml":
                return self._json({"errors": [], "warnings": []})
            if path.startswith(f"/api/datasets/{hub.name}/preupload/"):
                asked = json.loads(sent)["files"]
                modes = [
                    {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for f in asked
                ]
                return self._json({"files": modes})
            if path.startswith(f"/api/datasets/{hub.name}/commit/"):
                lines = [json.loads(line) for line in sent.splitlines() if line.strip()]
                if lines[0]["value"].get("parentCommit") != hub.revision:
                    return self._json({"error": "A commit has happened since."}, 412)
                return self._json(hub.commit(lines))
            return self._json({"error": f"no POST {path}"}, 404)

        def _answer(self, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            api = f"/api/datasets/{hub.name}"
            if path in (api, f"{api}/revision/main"):
                return self._json({"id": hub.name, "sha": hub.revision, "siblings": []})
            if path.startswith(f"{api}/tree/"):
                return self._json(hub.tree())
            place = f"/datasets/{hub.name}/resolve/{hub.revision}/"
            if path.startswith(place) and path.removeprefix(place) in hub.files:
                name = path.removeprefix(place)
                if body:
                    hub.downloads.append(name)
                return self._send(hub.files[name], body, _oid(hub.files[name]))
            return self._json({"error": f"no {path}"}, 404)

        def _json(self, values: object, status: int = 200) -> None:
            self._send(json.dumps(values).encode(), True, None, status)

        def _send(self, data: bytes, body: bool, etag: str | None, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            if etag is not None:
                self.send_header("ETag", f'"{etag}"')
                self.send_header("X-Repo-Commit", hub.revision)
            self.end_headers()
            if body and self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
