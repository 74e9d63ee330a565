"""A real S3 server on this machine, and a proxy before it that fails as networks and servers do."""

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def serving(folder: Path) -> Iterator[dict[str, str]]:
    """Yields the environment that reaches the server."""
    port = free_port()
    server = subprocess.Popen(
        [BIN / "rclone", "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "key,secret", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.terminate()
        server.wait()


def client_of(reached: dict[str, str]):
    import botocore.session

    return botocore.session.get_session().create_client(
        "s3", endpoint_url=reached["AWS_ENDPOINT_URL"], aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
    )


Fault = Callable[[BaseHTTPRequestHandler, int, dict[str, str], bytes], bool]


class Proxy(ThreadingHTTPServer):
    """Passes every request on, but for those that `fault` answers itself. `fault`: of the handler, status, headers and body of the true
    answer; whether it has answered. `asked`: paths of the requests for objects, in order."""

    daemon_threads = True

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind, self.fault, self.asked = urlsplit(endpoint_url).netloc, None, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        behind = http.client.HTTPConnection(self.server.behind)
        behind.request("GET", self.path, headers=dict(self.headers))
        answer = behind.getresponse()
        body, headers = answer.read(), dict(answer.getheaders())
        if self.server.fault and self.server.fault(self, answer.status, headers, body):
            return
        self.reply(answer.status, headers, body)

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass
