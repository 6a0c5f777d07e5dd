"""Registration upstream by EPP: messages, replies, the line over TCP or HTTP."""
