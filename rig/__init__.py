"""What the experiment scripts share, one concern a file."""
