"""The operators' desk beside the framework's own pages: what needs more than a list of rows."""
