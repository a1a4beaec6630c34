"""What `overspill record` does: it takes events off the bus, writes them as a recording, and says what is in it."""
