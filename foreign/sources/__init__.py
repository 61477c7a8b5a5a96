"""Where foreign models come from: one file a kind of source."""
