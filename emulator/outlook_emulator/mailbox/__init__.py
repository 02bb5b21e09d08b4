"""The behaviour of Outlook: plain functions on one Mailbox, without HTTP and wire shapes."""
