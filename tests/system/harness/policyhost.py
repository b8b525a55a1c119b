"""A host that serves MTA-STS policies over HTTPS, as well or as badly as a test wants."""

import http.server
import ssl
import threading

POLICY = "version: STSv1\r\nmode: {mode}\r\n{mx}max_age: {max_age}\r\n"


def policy(*mx, mode="enforce", max_age=86400):
    return POLICY.format(mode=mode, mx="".join(f"mx: {name}\r\n" for name in mx), max_age=max_age)


class PolicyHost:
    """One document for every path. `requests` has (path, headers) of each GET."""

    def __init__(self, certificate, address="127.0.0.1"):
        self.body, self.status, self.media_type = "", 200, "text/plain"
        self.requests = []
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host.requests.append((self.path, dict(self.headers)))
                body = host.body.encode()
                self.send_response(host.status)
                self.send_header("Content-Type", host.media_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain, certificate.key)
        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address, self.port = self._server.server_address
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
