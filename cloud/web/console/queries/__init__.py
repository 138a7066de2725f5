"""Read models of the pages: plain frozen rows, read in one short session, within the sites of the asker."""
