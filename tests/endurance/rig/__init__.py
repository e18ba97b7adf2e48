"""What the endurance tests share: services to kill, senders that repeat, bad archives."""
