"""The report: one self-contained HTML page, its tables, and the manifest that lets anyone check them."""
