"""Whether results files are what benchmarks/schema.json says, and say nothing about their author."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A home folder, a path of Windows, an address: none has a place in a result.
PRIVATE = re.compile(r"/(?:home|Users|root|work|tmp)/|[A-Za-z]:\\\\|[\w.+-]+@[\w-]+\.\w+")


def schema() -> Any:
    return json.loads((Path(__file__).parent / "schema.json").read_text())


def problems(path: Path) -> Iterator[str]:
    """Each as ``rows/3/status: what is wrong``."""
    import jsonschema

    text = path.read_text()
    if found := PRIVATE.search(text):
        yield f"must not have paths or addresses, got {found.group()!r}"
    try:
        result = json.loads(text)
    except json.JSONDecodeError as error:
        yield f"must be JSON: {error}"
        return
    validator = jsonschema.Draft202012Validator(schema())
    for error in sorted(validator.iter_errors(result), key=lambda each: list(map(str, each.absolute_path))):
        place = "/".join(map(str, error.absolute_path)) or "the file"
        yield f"{place}: {error.schema.get('description', error.message)}"
    seen = set()
    for row in result.get("rows", []):
        key = (row.get("case"), row.get("provider"))
        if key in seen:
            yield f"rows: {key[0]} by {key[1]} must be there once"
        seen.add(key)
