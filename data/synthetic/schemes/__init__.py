"""One scheme a module, each with its `SCHEME`; found by `data.synthetic.injection.all_schemes`."""

NOT_GENERATED = {
    "BID_QTY_EXCEEDED": "needs a year's tender quantities beside purchases and stock; claims carry neither",
    "CAPITATION_SKIMP": "care not given under capitation; the fund pays nothing too much",
}
"""Catalogued schemes that no claim of this generator can show, each with the reason."""
