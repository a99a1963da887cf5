"""From records to what a page says: pure functions, no store, no request."""
