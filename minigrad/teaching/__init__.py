"""What there is to see: pages, fed by the engine, that show why a gradient is what it is."""
