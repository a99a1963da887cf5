"""One scheme a file, each with its `SCHEME`; found by `data.synthetic.injection.schemes`."""
