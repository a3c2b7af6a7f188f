"""A recorded session, run again through the experiment's own loop, with devices and books in memory."""
