"""Approval mails and mails with options, and the answers to them."""
