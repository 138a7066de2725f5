"""JSON schemas of everything that travels as JSON: `python -m models.wire.schema docs/wire/schemas`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from models.alert import Aftermath, Alert, Evidence
from models.configuration import GatewayDocument
from models.outcome import OutcomeReport
from models.wire.messages import (
    ChannelTable,
    ClockRecord,
    Command,
    CommandResult,
    GapRecord,
    Health,
    OutageRecord,
    Receipt,
    Reported,
    SignedDocument,
)

# File name -> model. A message is added here when it is added to the wire.
SCHEMAS: dict[str, type[BaseModel]] = {
    "alert": Alert,
    "evidence": Evidence,
    "aftermath": Aftermath,
    "channels": ChannelTable,
    "gap": GapRecord,
    "outage": OutageRecord,
    "clock": ClockRecord,
    "receipt": Receipt,
    "health": Health,
    "reported": Reported,
    "desired": SignedDocument,
    "document": GatewayDocument,
    "command": Command,
    "result": CommandResult,
    "outcome": OutcomeReport,
}


def schema_text(model: type[BaseModel]) -> str:
    """Schema (JSON Schema 2020-12) of what is sent, as text that stays the same while the model does."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write all schemas into the folder named; 1 without one."""
    if len(arguments) != 1:
        print("usage: python -m models.wire.schema FOLDER", file=sys.stderr)
        return 1
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in SCHEMAS.items():
        (folder / f"{name}.json").write_text(schema_text(model), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
