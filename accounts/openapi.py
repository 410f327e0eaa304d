"""What the OpenAPI document says about tokens."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Names the scheme in the OpenAPI document."""

    target_class = "accounts.rest.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Describe the scheme."""
        return {"type": "http", "scheme": "bearer"}
