"""A finished job with a flagged vertebra, and receivers on loopback."""

from notified_job import image, make_job, web_receiver  # noqa: F401 - fixtures
from tls_files import tls_files  # noqa: F401 - fixture
