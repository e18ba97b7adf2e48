"""The viewer's files and, under /dicom-web, the archive: one origin, so that no CORS is needed."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CONFIGURATION = """
window.config = {
  routerBasename: '/', extensions: [], modes: [], showStudyList: true,
  maxNumberOfWebWorkers: 2, showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false, strictZSpacingForVolumeViewport: true,
  investigationalUseDialog: { option: 'never' },
  defaultDataSourceName: 'archive',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'archive',
    configuration: {
      friendlyName: 'archive', name: 'archive',
      wadoUriRoot: '/wado', qidoRoot: '/dicom-web', wadoRoot: '/dicom-web',
      qidoSupportsIncludeField: false, supportsReject: false, enableStudyLazyLoad: true,
      imageRendering: 'wadors', thumbnailRendering: 'wadors', supportsFuzzyMatching: false,
      supportsWildcard: true, dicomUploadEnabled: false, singlepart: 'bulkdata,video',
      bulkDataURI: { enabled: true, relativeResolution: 'studies' },
    },
  }],
};
"""


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *args, archive_port: int, **kwargs) -> None:
        self.archive_port = archive_port
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith(("/dicom-web", "/wado")):
            self._forward()
        elif path == "/app-config.js":
            self._answer(200, "text/javascript", _CONFIGURATION.encode())
        else:
            if not Path(self.translate_path(path)).is_file():
                self.path = "/index.html"  # the viewer's own routes
            super().do_GET()

    def _forward(self) -> None:
        headers = {"Accept": self.headers.get("Accept", "*/*")}
        # the archive writes links to its bulk data with the host it was asked by
        headers["Host"] = self.headers["Host"]
        connection = http.client.HTTPConnection("127.0.0.1", self.archive_port, timeout=60)
        try:
            connection.request("GET", self.path, headers=headers)
            answer = connection.getresponse()
            kind = answer.getheader("Content-Type", "application/octet-stream")
            self._answer(answer.status, kind, answer.read())
        finally:
            connection.close()

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        pass


@contextmanager
def served(viewer: Path, archive_port: int) -> Iterator[str]:
    """Serve the viewer's `dist` folder in front of an archive; yield the origin."""
    handler = partial(_Handler, directory=str(viewer), archive_port=archive_port)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
