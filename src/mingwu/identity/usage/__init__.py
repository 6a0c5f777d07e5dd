"""The resolver's signed usage log and the statistics made from it."""
