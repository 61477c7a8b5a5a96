"""Images that stay where they are and are read one by one: folders, zips, tar shards, Arrow."""
