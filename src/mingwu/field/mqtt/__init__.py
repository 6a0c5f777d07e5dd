"""MQTT 3.1.1 with JSON payloads."""
