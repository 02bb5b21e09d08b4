"""The state of sandboxes: the only package that knows SQL.

Other packages call the functions of its modules, such as `mail.message(db, mailbox_id, key)`. Such a function takes a
`Database`, runs one statement or a few, and returns the records of `records.py`. Transactions belong to the callers.

Tables and statements are declared in `schema/` with SQLModel and SQLAlchemy Core, and compiled ahead of time to
`sql.py`: importing SQLAlchemy would double the server's start-up time, and building statements for each request would
double the cost of a request.
"""
