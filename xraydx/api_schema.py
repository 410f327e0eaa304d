"""What the API's specification says of every address: how a refusal looks."""

from typing import Any

PROBLEM = {
    "type": "object",
    "description": "A refusal as problem+json (RFC 9457): what happened, what to do now, a code.",
    "required": ["type", "title", "detail", "status", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "incident": {"type": "string"},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
REFUSED = {
    "description": "The request was refused; the code says why.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
METHODS = {"get", "post", "put", "patch", "delete"}


def document_problems(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Add the problem to every operation of the specification (a hook of drf-spectacular)."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    for path in result["paths"].values():
        for operation in (path[method] for method in METHODS & path.keys()):
            operation["responses"].setdefault("default", REFUSED)
    return result
