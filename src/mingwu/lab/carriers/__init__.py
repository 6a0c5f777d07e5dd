"""Scenario S2 (模通): moulds lent to outside moulders, each with an active carrier. Simulated."""
