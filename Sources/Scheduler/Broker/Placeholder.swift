// Room of its own; filled below.
