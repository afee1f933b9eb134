"""The room that decides: header and arrival in, decision out. No clock, no disk, no network, no database."""
