"""Triggers: what a poll returns, subscriptions, and the callbacks that follow."""
