"""embed: the frozen backbone's features of every image pulled."""
