"""REQUEST → VALIDATE → PRODUCE: the collector that websites send their events to."""
