"""HTTP, WebSocket and OpenAPI; authentication at the door."""
