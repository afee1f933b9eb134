"""The room that moves: every wire, process and thread, the clock, the queue and the people's doors."""
