"""Where state lives: the only package that knows SQLAlchemy and SQLite.

Tables and statements are declared with SQLModel and SQLAlchemy Core, and compiled ahead of time to `sql.py`, which is
all that a running server imports: importing SQLAlchemy would double its start-up time, and building statements per
call would double the cost of a request.
"""
