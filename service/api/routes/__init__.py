"""Routes: each fetches, asks permission, presents."""
