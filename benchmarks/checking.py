"""Whether results files are what benchmarks/schema.json says, and say nothing about their author."""

import getpass
import json
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.files import RESULTS

# A home folder, a path of Windows, an address: none has a place in a result.
PRIVATE = re.compile(r"/(?:home|Users|root|work|tmp|private|var|opt)/|[A-Za-z]:\\\\|[\w.+-]+@[\w-]+\.\w+")


def personal_words() -> dict[str, str]:
    """What would tell whose machine this is."""
    host = platform.node()
    words = {
        "the host name": host,
        "the short host name": host.partition(".")[0],
        "the user name": getpass.getuser(),
        "the home folder": str(Path.home()),
    }
    return {what: word for what, word in words.items() if word}


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, f"{place}/{key}" if place else key)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, f"{place}/{index}")
    elif isinstance(value, str):
        yield place, value


def personal(result: dict[str, Any], words: dict[str, str]) -> Iterator[str]:
    """Where a results file has one of the words, upper or lower case, not as a part of another."""
    free = {"env": result["env"], "notes": [row["note"] for row in result["rows"]]}
    for place, text in _texts(free, ""):
        for what, word in words.items():
            if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE):
                yield f"{place}: must not have {what}, got {text!r}"


def schema() -> Any:
    return json.loads((Path(__file__).parent / "schema.json").read_text())


def validator() -> Any:
    """Raises ModuleNotFoundError without the extra ``bench``."""
    import jsonschema

    return jsonschema.Draft202012Validator(schema())


def problems(path: Path) -> Iterator[str]:
    """Each as ``rows/3/status: what is wrong``."""
    validate = validator()
    text = path.read_text()
    if found := PRIVATE.search(text):
        yield f"must not have paths or addresses, got {found.group()!r}"
    try:
        result = json.loads(text)
    except json.JSONDecodeError as error:
        yield f"must be JSON: {error}"
        return
    for error in sorted(validate.iter_errors(result), key=lambda each: list(map(str, each.absolute_path))):
        place = "/".join(map(str, error.absolute_path)) or "the file"
        yield f"{place}: {error.schema.get('description', error.message)}"
    version = result.get("env", {}).get("mpsops")
    if path.resolve().is_relative_to(RESULTS) and path.parent.name != version:
        yield f"must be in the folder of its mpsops, {version}, got {path.parent.name}"
    seen = set()
    for row in result.get("rows", []):
        key = (row.get("case"), row.get("provider"))
        if key in seen:
            yield f"rows: {key[0]} by {key[1]} must be there once"
        seen.add(key)
