"""The tables and statements that `make sql` compiles to `store/sql.py`.

They need SQLModel, which is a development dependency. A server does not import them, and the wheel leaves them out.
"""
