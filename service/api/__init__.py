"""The API and the application that carries it and the pages."""

from service.api.app import create_app

__all__ = ["create_app"]
