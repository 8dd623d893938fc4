"""Files into the record: the whole file or nothing of it."""
