"""The numbers behind the figures: every function here returns data, and draws nothing."""
