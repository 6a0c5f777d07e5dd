"""The web console, zh and en: a NiceGUI shell with live islands."""
