"""The pages: a route fetches, asks permission, presents. Wording is in the presenters, logic below the web."""
