"""What a session means, once it has ended: nothing of the rig imports this."""
