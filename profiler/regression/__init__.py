"""Whether one model has become slower than another: sessions in pairs, until it is decided."""
