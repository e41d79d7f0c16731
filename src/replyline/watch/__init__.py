"""HOW THINGS ARE: for whoever asks, and for whoever has to be told."""
