"""What the connector does: plain functions on one Mailbox, without HTTP and without wire shapes."""
