"""Write docs/conformance.md: the conformance statement of the default configuration.

python docs/generate_conformance.py
"""

from __future__ import annotations

from pathlib import Path

from service.config import Config
from service.conformance import statement

PAGE = Path(__file__).with_name("conformance.md")

if __name__ == "__main__":
    PAGE.write_text(statement(Config()), encoding="utf-8")
