"""The contract that both sides of the broker keep: the event, its encoding, the topics and the ports."""
