"""The gateway: scheduling, report by exception, buffering and publishing."""
