"""Facts: the schemas of the tables, data packages in and out, the rules they must keep, and countries."""
