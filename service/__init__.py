"""Who uses it: command line, web page, API, accounts, cases."""
