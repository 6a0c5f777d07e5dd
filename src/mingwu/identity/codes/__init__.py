"""Code systems: which system a code belongs to, its canonical form, its parts, its faults."""
