"""OPC UA client."""
