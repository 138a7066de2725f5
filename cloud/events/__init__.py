"""The bus between processes: a table with a rising id."""
